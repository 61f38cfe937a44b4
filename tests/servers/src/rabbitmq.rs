//! RabbitMQ.

use crate::{Missing, Program, Site, find, server::free_port};
use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// The directory in which Debian has a directory for each version.
const VERSIONS: &str = "/usr/lib/rabbitmq/lib";

/// `rabbitmq-server` under a name of its own, and the daemon in which that is registered, which ends with it. It has the user
/// `guest`, and `reader`, who may make and write nothing in `/`.
#[derive(Clone, Debug, Default)]
pub struct RabbitMq {
    /// Virtual hosts beside `/`: `t0`, `t1` and so on.
    pub vhosts: u16,
    /// More of its configuration, a line an item, as in `["listeners.ssl.1 = 127.0.0.1:5671"]`.
    pub directives: Vec<String>,
}

impl RabbitMq {
    #[must_use]
    pub fn with(mut self, directive: &str) -> Self {
        self.directives.push(directive.to_owned());
        self
    }

    fn configuration(&self, site: &Site) -> String {
        let mut text = format!(
            "listeners.tcp.1 = 127.0.0.1:{}\nlog.console = false\nlog.file = false\n\
             load_definitions = {}\n",
            site.port,
            site.directory.join("definitions.json").display()
        );
        for directive in &self.directives {
            text.push_str(directive);
            text.push('\n');
        }
        text
    }

    /// The user, and what there is of virtual hosts.
    fn definitions(&self) -> String {
        let names = (0..self.vhosts).map(|number| format!("t{number}"));
        let names: Vec<_> = ["/".to_owned()].into_iter().chain(names).collect();
        let hosts = names.iter().map(|name| format!(r#"{{"name":"{name}"}}"#));
        let rights = names.iter().map(|name| {
            let all = r#""configure":".*","write":".*","read":".*""#;
            format!(r#"{{"user":"guest","vhost":"{name}",{all}}}"#)
        });
        let reader = r#"{"user":"reader","vhost":"/","configure":"^$","write":"^$","read":".*"}"#;
        let rights = rights.chain([reader.to_owned()]);
        let users = ["guest", "reader"]
            .map(|name| format!(r#"{{"name":"{name}","password":"{name}","tags":""}}"#));
        format!(
            r#"{{"users":[{}],"vhosts":[{}],"permissions":[{}]}}"#,
            users.join(","),
            hosts.collect::<Vec<_>>().join(","),
            rights.collect::<Vec<_>>().join(",")
        )
    }
}

impl Program for RabbitMq {
    /// Two ports more than the one of clients: for the daemon of names, and for other nodes, of which there are none.
    fn prepare(&self, site: &Site) -> Result<(), Missing> {
        let ports = format!("{} {}", free_port()?, free_port()?);
        for (name, text) in [
            ("definitions.json", self.definitions()),
            ("plugins", "[].".to_owned()),
            ("ports", ports),
        ] {
            write(site, name, &text)?;
        }
        Ok(())
    }

    fn command(&self, site: &Site) -> Result<Command, Missing> {
        write(site, "rabbitmq.conf", &self.configuration(site))?;
        let directory = &site.directory;
        let ports = fs::read_to_string(directory.join("ports")).unwrap_or_default();
        let (names, nodes) = ports.split_once(' ').unwrap_or_default();
        let script = "setpriv --pdeathsig KILL -- \"$0\" -port \"$ERL_EPMD_PORT\" -address 127.0.0.1 & exec \"$1\"";
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command.arg(find("epmd")?).arg(program()?);
        command
            .env("HOME", directory)
            .env("RABBITMQ_NODENAME", format!("t{}@localhost", site.port))
            .env("RABBITMQ_MNESIA_BASE", directory.join("data"))
            .env("RABBITMQ_LOG_BASE", directory.join("log"))
            .env("RABBITMQ_CONFIG_FILE", directory.join("rabbitmq.conf"))
            .env("RABBITMQ_CONF_ENV_FILE", directory.join("none"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", directory.join("plugins"))
            .env("RABBITMQ_DIST_PORT", nodes)
            .env("ERL_EPMD_PORT", names)
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            // The process of the shell becomes that of the server.
            .env("RUNNING_UNDER_SYSTEMD", "true")
            .env(
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                "-start_epmd false -setcookie wythe",
            );
        command.current_dir(directory);
        Ok(command)
    }

    /// The first frame has an answer: the server says who it is.
    fn is_ready(&self, site: &Site) -> bool {
        greeted(site).is_ok_and(|answer| answer == [1, 0, 0])
    }
}

fn write(site: &Site, name: &str, text: &str) -> Result<(), Missing> {
    let written = fs::write(site.directory.join(name), text);
    written.map_err(|error| Missing(format!("{name}: {error}")))
}

/// The program below the wrapper of Debian, which changes the user.
fn program() -> Result<PathBuf, Missing> {
    let versions = fs::read_dir(VERSIONS).into_iter().flatten().flatten();
    let found = versions.map(|version| version.path().join("sbin/rabbitmq-server"));
    let newest = found.filter(|path| Path::is_file(path)).max();
    newest.ok_or_else(|| Missing("this machine has no rabbitmq-server".to_owned()))
}

fn greeted(site: &Site) -> std::io::Result<[u8; 3]> {
    let limit = Duration::from_secs(5);
    let mut stream = TcpStream::connect_timeout(&site.address(), limit)?;
    stream.set_read_timeout(Some(limit))?;
    stream.write_all(b"AMQP\0\0\x09\x01")?;
    let mut answer = [0; 3];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}
