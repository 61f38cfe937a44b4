//! Mosquitto.

use crate::{Missing, Program, Site, find};
use std::{
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    process::Command,
    time::Duration,
};

/// `mosquitto`, which takes anybody, and keeps what waits for sessions when it is told to end.
#[derive(Clone, Debug, Default)]
pub struct Mosquitto {
    /// More ports, each with topics of its own.
    pub rooms: u16,
    /// More of its configuration, a line an item, as in `["max_inflight_messages 1"]`.
    pub directives: Vec<String>,
    /// The user `ada` with the password `lovelace`, and nobody else.
    pub has_users: bool,
}

impl Mosquitto {
    #[must_use]
    pub fn with(mut self, directive: &str) -> Self {
        self.directives.push(directive.to_owned());
        self
    }

    /// The address of a room.
    pub fn room(site: &Site, number: u16) -> Option<SocketAddr> {
        let ports = fs::read_to_string(site.directory.join("rooms")).ok()?;
        let port = ports.lines().nth(usize::from(number))?.parse().ok()?;
        Some((Ipv4Addr::LOCALHOST, port).into())
    }
}

impl Program for Mosquitto {
    fn prepare(&self, site: &Site) -> Result<(), Missing> {
        write(site, "rooms", ports(self.rooms, site.port)?)?;
        if self.has_users {
            let file = site.directory.join("users");
            let made = Command::new(find("mosquitto_passwd")?)
                .args(["-b", "-c"])
                .arg(file)
                .args(["ada", "lovelace"])
                .output();
            made.map_err(|error| Missing(format!("mosquitto_passwd: {error}")))?;
        }
        Ok(())
    }

    fn command(&self, site: &Site) -> Result<Command, Missing> {
        let directory = site.directory.display();
        let mut text = format!(
            "user root\npersistence true\npersistence_location {directory}/\nlog_dest none\n\
             max_queued_messages 0\n"
        );
        text.push_str(&match self.has_users {
            true => format!("allow_anonymous false\npassword_file {directory}/users\n"),
            false => "allow_anonymous true\n".to_owned(),
        });
        text.push_str(&format!("listener {} 127.0.0.1\n", site.port));
        for number in 0..self.rooms {
            let address = Mosquitto::room(site, number);
            let address = address.ok_or_else(|| Missing("a room without a port".to_owned()))?;
            let port = address.port();
            text.push_str(&format!(
                "listener {port} 127.0.0.1\nmount_point room{number}/\n"
            ));
        }
        for directive in &self.directives {
            text.push_str(directive);
            text.push('\n');
        }
        write(site, "mosquitto.conf", text)?;
        let mut command = Command::new(find("mosquitto")?);
        command.arg("-c").arg(site.directory.join("mosquitto.conf"));
        Ok(command)
    }

    /// A login has an answer, be it that a password is missing.
    fn is_ready(&self, site: &Site) -> bool {
        greeted(site).is_ok_and(|answer| answer[..2] == [0x20, 2])
    }
}

/// Free ports, a line each, of which no two are the same: each is held until all are found.
fn ports(count: u16, other: u16) -> Result<String, Missing> {
    let (mut held, mut lines) = (Vec::new(), String::new());
    while lines.lines().count() < usize::from(count) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let listener = listener.map_err(|error| Missing(format!("no free port: {error}")))?;
        let address = listener.local_addr();
        let port = address.map_err(|error| Missing(format!("no free port: {error}")))?;
        if port.port() != other {
            lines.push_str(&format!("{}\n", port.port()));
        }
        held.push(listener);
    }
    Ok(lines)
}

fn write(site: &Site, name: &str, text: String) -> Result<(), Missing> {
    let written = fs::write(site.directory.join(name), text);
    written.map_err(|error| Missing(format!("{name}: {error}")))
}

fn greeted(site: &Site) -> std::io::Result<[u8; 4]> {
    let limit = Duration::from_secs(5);
    let mut stream = TcpStream::connect_timeout(&site.address(), limit)?;
    stream.set_read_timeout(Some(limit))?;
    stream.write_all(b"\x10\x0c\0\x04MQTT\x04\x02\0\x3c\0\0")?;
    let mut answer = [0; 4];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}
