//! Kafka: one broker that is its own controller, run by `java` from a directory of jars.

use crate::{Missing, Program, Site, find, proxy, server::free_port};
use std::{
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// Options of the machine below it: it starts soon, and is small.
const JAVA: [&str; 5] = [
    "-Xms64m",
    "-Xmx256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Xlog:disable",
];

/// The logins of the user `ada`, whose password is `secret`.
const LOGINS: &str = "sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512\n\
    listener.name.login.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_ada=\"secret\";\n\
    listener.name.login.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;\n\
    listener.name.login.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;\n";

/// A broker whose jars are in the directory of `WYTHE_KAFKA`. Clients are told its address, so that it has a second port
/// for those that come by a [`crate::Proxy`], and tells them that of the proxy.
#[derive(Clone, Debug, Default)]
pub struct Kafka {
    /// The certificate and the key of its port with TLS, in PEM.
    pub certificate: Option<(String, String)>,
    /// More of its configuration, a line an item.
    pub directives: Vec<String>,
}

impl Kafka {
    #[must_use]
    pub fn with(mut self, directive: &str) -> Self {
        self.directives.push(directive.to_owned());
        self
    }

    /// The address at which it wants a login.
    pub fn login(site: &Site) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, ports(site)[3]).into()
    }

    /// The address at which it speaks TLS, where it has a certificate.
    pub fn safe(site: &Site) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, ports(site)[4]).into()
    }

    fn configuration(&self, site: &Site) -> String {
        let (port, data) = (site.port, site.directory.join("data"));
        let [control, upstream, before, login, safe] = ports(site);
        proxy::place(
            site.address(),
            before,
            (Ipv4Addr::LOCALHOST, upstream).into(),
        );
        let mut listeners =
            format!("OWN://127.0.0.1:{port},LOGIN://127.0.0.1:{login},FAR://127.0.0.1:");
        let mut text = String::new();
        if let Some((chain, key)) = &self.certificate {
            listeners = format!("SAFE://127.0.0.1:{safe},{listeners}");
            let line = |pem: &str| pem.trim().replace('\n', "\\n");
            text += &format!(
                "ssl.keystore.type=PEM\nssl.keystore.certificate.chain={}\nssl.keystore.key={}\n",
                line(chain),
                line(key)
            );
        }
        text += &format!(
            "process.roles=broker,controller\nnode.id=1\n\
             controller.quorum.voters=1@127.0.0.1:{control}\n\
             controller.listener.names=CONTROLLER\ninter.broker.listener.name=OWN\n\
             listeners={listeners}{upstream},CONTROLLER://127.0.0.1:{control}\n\
             advertised.listeners={listeners}{before}\n\
             listener.security.protocol.map=OWN:PLAINTEXT,FAR:PLAINTEXT,CONTROLLER:PLAINTEXT,LOGIN:SASL_PLAINTEXT,SAFE:SSL\n\
             log.dirs={}\nnum.partitions=3\n\
             offsets.topic.replication.factor=1\noffsets.topic.num.partitions=4\n\
             transaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\n\
             group.initial.rebalance.delay.ms=0\ngroup.min.session.timeout.ms=100\n\
             controlled.shutdown.enable=false\nlog.cleaner.enable=false\n{LOGINS}",
            data.display()
        );
        for directive in &self.directives {
            text.push_str(directive);
            text.push('\n');
        }
        text
    }
}

/// The ports of its controller, of clients that come by a proxy, of that proxy, of logins and of TLS.
fn ports(site: &Site) -> [u16; 5] {
    let text = fs::read_to_string(site.directory.join("ports")).unwrap_or_default();
    let mut ports = [0; 5];
    for (port, text) in ports.iter_mut().zip(text.split(' ')) {
        *port = text.parse().unwrap_or_default();
    }
    ports
}

impl Program for Kafka {
    fn prepare(&self, site: &Site) -> Result<(), Missing> {
        let mut ports = Vec::new();
        for _ in 0..5 {
            ports.push(free_port()?.to_string());
        }
        write(site, "ports", &ports.join(" "))?;
        write(site, "kafka.properties", &self.configuration(site))?;
        let mut format = java(site, "kafka.tools.StorageTool")?;
        format.args(["format", "-t", "AAAAAAAAAAAAAAAAAAAAAA", "-c"]);
        format.arg(site.directory.join("kafka.properties"));
        for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
            let user = format!("{mechanism}=[name=ada,password=secret]");
            format.args(["--add-scram", &user]);
        }
        let done = format.output();
        let done = done.map_err(|error| Missing(format!("java: {error}")))?;
        match done.status.success() {
            true => Ok(()),
            false => Err(Missing(format!(
                "Kafka cannot format its directory: {}",
                String::from_utf8_lossy(&done.stderr)
            ))),
        }
    }

    fn command(&self, site: &Site) -> Result<Command, Missing> {
        let mut command = java(site, "kafka.Kafka")?;
        write(site, "kafka.properties", &self.configuration(site))?;
        command.arg(site.directory.join("kafka.properties"));
        Ok(command)
    }

    /// It lists what it can do, and has taken its place in the cluster: it can say who knows a group.
    fn is_ready(&self, site: &Site) -> bool {
        has_brokers(site).unwrap_or(false)
    }
}

/// A class of Kafka, with nothing said of its logs.
fn java(site: &Site, class: &str) -> Result<Command, Missing> {
    let mut command = Command::new("sh");
    command.args(["-c", "exec \"$@\" 2>/dev/null", "sh"]);
    command.arg(find("java")?).args(JAVA);
    command.arg("-cp").arg(jars()?.join("*")).arg(class);
    command.current_dir(&site.directory);
    Ok(command)
}

fn jars() -> Result<PathBuf, Missing> {
    let missing = |why: &str| Missing(format!("WYTHE_KAFKA {why}: it names a directory of jars"));
    let directory = std::env::var_os("WYTHE_KAFKA").ok_or_else(|| missing("is not set"))?;
    let directory = PathBuf::from(directory);
    let mut jars = fs::read_dir(&directory).into_iter().flatten().flatten();
    let is_kafka = |path: &Path| {
        let name = path.file_name().map(|name| name.to_string_lossy());
        name.is_some_and(|name| name.starts_with("kafka_"))
    };
    match jars.any(|jar| is_kafka(&jar.path())) {
        true => Ok(directory),
        false => Err(missing("has no Kafka")),
    }
}

fn write(site: &Site, name: &str, text: &str) -> Result<(), Missing> {
    let written = fs::write(site.directory.join(name), text);
    written.map_err(|error| Missing(format!("{name}: {error}")))
}

/// Asks for the brokers of the cluster; the one that asks is among them once it takes part.
fn has_brokers(site: &Site) -> std::io::Result<bool> {
    let limit = Duration::from_secs(5);
    let mut stream = TcpStream::connect_timeout(&site.address(), limit)?;
    stream.set_read_timeout(Some(limit))?;
    // Metadata of no topic, version 4.
    stream.write_all(&[
        0, 0, 0, 15, 0, 3, 0, 4, 0, 0, 0, 1, 0xff, 0xff, 0, 0, 0, 0, 0,
    ])?;
    let mut answer = [0; 16];
    stream.read_exact(&mut answer)?;
    Ok(answer[12..] != [0; 4])
}
