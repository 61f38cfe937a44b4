//! A web service of somebody else: it answers one request, and tells what it was asked.

use anyhow::{Context, Result};
use std::{
    io::{Read, Write},
    net::TcpListener,
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};

const PATIENCE: Duration = Duration::from_secs(60);

pub struct Service {
    pub url: String,
    requests: Receiver<String>,
}

impl Service {
    pub fn start(status: &'static str, body: &'static str) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}", listener.local_addr()?);
        let (sender, requests) = mpsc::channel();
        thread::spawn(move || -> Result<()> {
            let (mut stream, _) = listener.accept()?;
            let mut request = Vec::new();
            let mut piece = [0; 4096];
            while !is_whole(&request) {
                match stream.read(&mut piece)? {
                    0 => break,
                    count => request.extend_from_slice(&piece[..count]),
                }
            }
            let length = body.len();
            write!(
                stream,
                "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
            )?;
            sender.send(String::from_utf8(request)?)?;
            Ok(())
        });
        Ok(Service { url, requests })
    }

    /// The request that it got.
    pub fn request(&self) -> Result<String> {
        let request = self.requests.recv_timeout(PATIENCE);
        request.context("nobody asked")
    }
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let mut lines = head.lines();
    let length = lines.find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    body.len() >= length.unwrap_or(0)
}
