//! A server that answers a guest's requests with bytes that are made to hurt; the path chooses which.

use anyhow::{Context, Result};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// Path, and the whole answer.
const ANSWERS: &[(&str, &[u8])] = &[
    ("/well", b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nwell"),
    ("/garbage", b"\0\x01\x02\xff\xfe not HTTP at all\r\n\r\n"),
    ("/nothing", b""),
    ("/half-a-head", b"HTTP/1.1 200 OK\r\ncontent-le"),
    ("/no-status", b"HTTP/1.1 \r\n\r\n"),
    ("/status-0", b"HTTP/1.1 000 Zero\r\n\r\n"),
    ("/status-99999", b"HTTP/1.1 99999 Many\r\n\r\n"),
    (
        "/two-lengths",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxy",
    ),
    (
        "/negative-length",
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\nx",
    ),
    (
        "/huge-length",
        b"HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551615\r\n\r\nx",
    ),
    (
        "/length-of-21-digits",
        b"HTTP/1.1 200 OK\r\ncontent-length: 184467440737095516150\r\n\r\nx",
    ),
    (
        "/short-body",
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort",
    ),
    (
        "/huge-chunk",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\nx",
    ),
    (
        "/wrong-chunk",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nx\r\n0\r\n\r\n",
    ),
    (
        "/cut-chunk",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab",
    ),
    (
        "/nul-header",
        b"HTTP/1.1 200 OK\r\nx-a: b\0c\r\ncontent-length: 0\r\n\r\n",
    ),
    (
        "/switches",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nx",
    ),
];

/// Starts it; its address.
pub async fn start() -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A host that has heard enough goes away.
            tokio::spawn(answer(stream));
        }
    });
    Ok(address)
}

async fn answer(mut stream: TcpStream) -> Result<()> {
    let mut request = vec![0; 64 << 10];
    let length = stream.read(&mut request).await?;
    let head = String::from_utf8_lossy(&request[..length]).into_owned();
    let path = head.split(' ').nth(1).context("no path")?;
    let known = ANSWERS.iter().find(|(known, _)| *known == path);
    if let Some((_, bytes)) = known {
        return Ok(stream.write_all(bytes).await?);
    }
    match path {
        "/silent" => std::future::pending().await,
        "/many-headers" => flood(&mut stream, b"HTTP/1.1 200 OK\r\n", b"x-more: y\r\n").await,
        "/long-header" => flood(&mut stream, b"HTTP/1.1 200 OK\r\nx-long: ", &[b'x'; 4096]).await,
        "/interim" => flood(&mut stream, b"", b"HTTP/1.1 103 Early Hints\r\n\r\n").await,
        "/redirect" => {
            let text = b"HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/latest\r\ncontent-length: 0\r\n\r\n";
            Ok(stream.write_all(text).await?)
        }
        _ => Ok(()),
    }
}

/// Writes a beginning, and then the same again until nobody takes it.
async fn flood(stream: &mut TcpStream, first: &[u8], again: &[u8]) -> Result<()> {
    stream.write_all(first).await?;
    loop {
        stream.write_all(again).await?;
    }
}
