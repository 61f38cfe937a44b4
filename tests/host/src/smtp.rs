//! A real mail server for the tests, where the machine has one: Python's `aiosmtpd`, with its mails in a Maildir.

use anyhow::{Context, Result, ensure};
use std::{
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};
use tempfile::TempDir;
use tokio::{io::AsyncReadExt, net::TcpStream};

const PYTHON: &str = "/usr/bin/python3";
/// The time for its start, and for a mail to arrive.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct SmtpServer {
    process: Child,
    mails: TempDir,
    pub port: u16,
}

impl SmtpServer {
    /// The reason why there is none, where there is none.
    pub fn missing() -> Option<&'static str> {
        let found = Command::new(PYTHON)
            .args(["-c", "import aiosmtpd"])
            .stderr(Stdio::null())
            .status();
        let has = found.is_ok_and(|status| status.success());
        (!has).then_some("this machine has no aiosmtpd for python3")
    }

    /// Returns once it greets.
    pub async fn start() -> Result<Self> {
        let mails = tempfile::tempdir()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let process = Command::new(PYTHON)
            .args(["-m", "aiosmtpd", "-n", "-l"])
            .arg(format!("127.0.0.1:{port}"))
            .args(["-c", "aiosmtpd.handlers.Mailbox"])
            .arg(mails.path().join("mails"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("a mail server")?;
        let server = SmtpServer {
            process,
            mails,
            port,
        };
        let greeting = tokio::time::timeout(PATIENCE, async {
            while !server.greets().await {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        greeting.await.context("the mail server does not start")?;
        Ok(server)
    }

    async fn greets(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)).await else {
            return false;
        };
        let mut code = [0; 3];
        stream.read_exact(&mut code).await.is_ok() && &code == b"220"
    }

    /// The mails, once there are so many; in no order.
    pub async fn mails(&self, count: usize) -> Result<Vec<String>> {
        let directory = self.mails.path().join("mails/new");
        let arrived = tokio::time::timeout(PATIENCE, async {
            loop {
                let mails = read(&directory);
                if mails.len() >= count {
                    return mails;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        let mails = arrived.await.context("a mail does not arrive")?;
        ensure!(mails.len() == count, "{mails:?}");
        Ok(mails)
    }
}

/// Reads the mails with the line breaks of this system.
fn read(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mails = entries.filter_map(|entry| std::fs::read_to_string(entry.path()).ok());
    mails.map(|mail| mail.replace("\r\n", "\n")).collect()
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
