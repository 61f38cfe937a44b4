//! The process that listens on a port, as far as `/proc` tells: for the message that it is taken.

use std::{fs, net::SocketAddr, path::Path};

/// `python3 (pid 4711)`, where this user may know it.
pub fn of(address: SocketAddr) -> Option<String> {
    let inode = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .find_map(|table| {
            listener(&fs::read_to_string(table).ok()?, address.port()).map(str::to_owned)
        })?;
    let socket = format!("socket:[{inode}]");
    fs::read_dir("/proc")
        .ok()?
        .flatten()
        .find_map(|process| describe(&process.path(), &socket))
}

/// The inode of the socket that listens on a port, in a table of the kernel.
fn listener(table: &str, port: u16) -> Option<&str> {
    const LISTENS: &str = "0A";
    let port = format!(":{port:04X}");
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let matches = fields.get(1)?.ends_with(&port) && *fields.get(3)? == LISTENS;
        matches.then(|| fields.get(9).copied())?
    })
}

fn describe(process: &Path, socket: &str) -> Option<String> {
    let id: u32 = process.file_name()?.to_str()?.parse().ok()?;
    let has_it = fs::read_dir(process.join("fd"))
        .ok()?
        .flatten()
        .any(|file| fs::read_link(file.path()).is_ok_and(|link| link.as_os_str() == socket));
    let name = fs::read_to_string(process.join("comm")).ok()?;
    has_it.then(|| format!("`{}` (pid {id})", name.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt uid timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4242 1 0000 100 0
   1: 0100007F:1F91 0100007F:9999 01 00000000:00000000 00:00000000 00000000  1000        0 4243 1 0000 100 0";

    #[test]
    fn finds_the_one_that_listens() {
        assert_eq!(listener(TABLE, 8080), Some("4242"));
        assert_eq!(
            listener(TABLE, 8081),
            None,
            "it is connected, not listening"
        );
        assert_eq!(listener(TABLE, 80), None);
    }

    #[test]
    fn finds_this_process() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let owner = of(socket.local_addr().unwrap()).unwrap();
        assert!(
            owner.ends_with(&format!("(pid {})", std::process::id())),
            "{owner}"
        );
    }
}
