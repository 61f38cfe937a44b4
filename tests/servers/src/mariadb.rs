//! MariaDB.

use crate::{Missing, Program, Site, find};
use std::{fs, io::Read, net::TcpStream, path::PathBuf, process::Command, time::Duration};

/// `mariadbd`, with a user `wythe` of the password `secret` who may do all, and which syncs each commit to disk and to its
/// binary log.
#[derive(Clone, Debug, Default)]
pub struct MariaDb {
    /// More of its options, as in `["--require-secure-transport=on"]`.
    pub options: Vec<String>,
}

impl Program for MariaDb {
    fn prepare(&self, site: &Site) -> Result<(), Missing> {
        let mut command = Command::new(find("mariadb-install-db")?);
        command.args(["--no-defaults", "--auth-root-authentication-method=normal"]);
        command.args(["--skip-test-db", "--skip-log-bin", user()]);
        command.arg(format!("--datadir={}", data(site).display()));
        // At its start a server removes what is left in the directory of temporary files, that of others too.
        command.arg(format!("--tmpdir={}", site.directory.display()));
        let output = command.output();
        let output = output.map_err(|error| Missing(format!("mariadb-install-db: {error}")))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(Missing(format!("mariadb-install-db: {said}")));
        }
        let first = "CREATE USER IF NOT EXISTS wythe@'%' IDENTIFIED BY 'secret';\n\
                     GRANT ALL ON *.* TO wythe@'%' WITH GRANT OPTION;\n";
        let written = fs::write(first_orders(site), first);
        written.map_err(|error| Missing(format!("init.sql: {error}")))
    }

    fn command(&self, site: &Site) -> Result<Command, Missing> {
        let mut command = Command::new(find("mariadbd")?);
        command.args(["--no-defaults", user(), "--skip-name-resolve"]);
        command.args(["--bind-address=127.0.0.1", "--max-connections=400"]);
        command.args([
            "--innodb-buffer-pool-size=64M",
            "--innodb-flush-log-at-trx-commit=1",
        ]);
        command.args(["--log-bin=log", "--sync-binlog=1", "--binlog-format=ROW"]);
        command.arg(format!("--port={}", site.port));
        let directory = site.directory.display();
        command.arg(format!("--datadir={}", data(site).display()));
        command.arg(format!("--init-file={}", first_orders(site).display()));
        command.arg(format!("--tmpdir={directory}"));
        command.arg(format!("--socket={directory}/socket"));
        command.arg(format!("--pid-file={directory}/pid"));
        command.arg(format!("--log-error={directory}/log"));
        command.args(&self.options);
        Ok(command)
    }

    /// It greets whoever comes; while it starts nobody is let in.
    fn is_ready(&self, site: &Site) -> bool {
        greeting(site).is_ok_and(|version| version == 10)
    }
}

fn data(site: &Site) -> PathBuf {
    site.directory.join("data")
}

fn first_orders(site: &Site) -> PathBuf {
    site.directory.join("init.sql")
}

/// It refuses to run as root who did not say so.
fn user() -> &'static str {
    match rustix::process::geteuid().is_root() {
        true => "--user=root",
        false => "--skip-symbolic-links",
    }
}

/// The version of the protocol in the first packet.
fn greeting(site: &Site) -> std::io::Result<u8> {
    let limit = Duration::from_secs(5);
    let mut stream = TcpStream::connect_timeout(&site.address(), limit)?;
    stream.set_read_timeout(Some(limit))?;
    let mut answer = [0; 5];
    stream.read_exact(&mut answer)?;
    Ok(answer[4])
}
