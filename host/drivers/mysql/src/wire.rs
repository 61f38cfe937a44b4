//! Packets of the protocol: three bytes of a length, a number, and as many bytes. What an answer may have in all is said before
//! it is asked for.

use crate::fault::Fault;
use futures::FutureExt as _;
use std::io;
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
};
use wythe_net::Secure;

/// Bytes of a packet that another one goes on with.
const WHOLE: usize = 0xff_ffff;
/// Bytes that are allocated at once for what was announced and is not there yet.
const PIECE: usize = 64 << 10;

/// A stream to the server, with TLS or not.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Sync + Unpin> Stream for S {}

pub(super) struct Wire {
    stream: BufReader<Box<dyn Stream>>,
    /// The number of the next packet.
    number: u8,
    /// Bytes that the answer may still have.
    left: usize,
}

impl Wire {
    pub fn new(stream: Box<dyn Stream>) -> Self {
        Wire {
            stream: BufReader::new(stream),
            number: 0,
            left: 0,
        }
    }

    /// Goes on over TLS, in the middle of a login. Bytes that came too early are an error: whoever sent them is not who comes
    /// next.
    pub async fn secure(self, secure: &Secure) -> Result<Self, Fault> {
        if !self.stream.buffer().is_empty() {
            return Err(Fault::Odd("bytes before TLS".to_owned()));
        }
        let stream = secure.connect(self.stream.into_inner()).await;
        let stream = stream.map_err(|error| Fault::Cut(error.to_string()))?;
        Ok(Wire {
            stream: BufReader::new(Box::new(stream)),
            number: self.number,
            left: self.left,
        })
    }

    /// Returns whether something came that was not asked for, be it the end.
    pub fn is_over(&mut self) -> bool {
        self.stream.fill_buf().now_or_never().is_some()
    }

    /// Begins with another question, whose answer has at most so many bytes.
    pub fn begin(&mut self, limit: usize) {
        self.number = 0;
        self.left = limit;
    }

    pub async fn write(&mut self, payload: &[u8]) -> Result<(), Fault> {
        let written = self.send(payload).await;
        written.map_err(|error| Fault::Cut(error.to_string()))
    }

    async fn send(&mut self, payload: &[u8]) -> io::Result<()> {
        let mut rest = payload;
        loop {
            let length = rest.len().min(WHOLE);
            let mut head = u32::try_from(length).unwrap_or_default().to_le_bytes();
            head[3] = self.number;
            self.number = self.number.wrapping_add(1);
            // One write for one packet, so that the server wakes up once.
            let packet = [&head, &rest[..length]].concat();
            self.stream.write_all(&packet).await?;
            rest = &rest[length..];
            // One that ends with a whole packet has an empty one behind it.
            if length < WHOLE {
                return self.stream.flush().await;
            }
        }
    }

    /// The next packet of the answer.
    pub async fn read(&mut self) -> Result<Vec<u8>, Fault> {
        let mut payload = Vec::new();
        loop {
            let mut head = [0; 4];
            let read = self.stream.read_exact(&mut head).await;
            read.map_err(|error| Fault::Cut(error.to_string()))?;
            if head[3] != self.number {
                return Err(Fault::Odd("a packet out of turn".to_owned()));
            }
            self.number = self.number.wrapping_add(1);
            head[3] = 0;
            let length = u32::from_le_bytes(head) as usize;
            self.take(length + head.len())?;
            self.fill(&mut payload, length).await?;
            if length < WHOLE {
                return Ok(payload);
            }
        }
    }

    fn take(&mut self, bytes: usize) -> Result<(), Fault> {
        let left = self.left.checked_sub(bytes);
        self.left = left.ok_or(Fault::Beyond)?;
        Ok(())
    }

    async fn fill(&mut self, payload: &mut Vec<u8>, length: usize) -> Result<(), Fault> {
        payload.reserve(length.min(PIECE));
        let mut part = (&mut self.stream).take(length as u64);
        let read = part.read_to_end(payload).await;
        match read {
            Ok(count) if count == length => Ok(()),
            Ok(_) => Err(Fault::Cut("the connection ended in a packet".to_owned())),
            Err(error) => Err(Fault::Cut(error.to_string())),
        }
    }
}

/// A payload that is read from its beginning; each length in it is held against what is there.
#[derive(Clone, Copy)]
pub(super) struct Payload<'a>(pub &'a [u8]);

impl<'a> Payload<'a> {
    pub fn bytes(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let (bytes, rest) = self.0.split_at_checked(count).ok_or_else(short)?;
        self.0 = rest;
        Ok(bytes)
    }

    /// A number of at most eight bytes, the lowest first.
    pub fn number(&mut self, bytes: usize) -> Result<u64, Fault> {
        let mut whole = [0; 8];
        let part = whole.get_mut(..bytes).ok_or_else(short)?;
        part.copy_from_slice(self.bytes(bytes)?);
        Ok(u64::from_le_bytes(whole))
    }

    pub fn byte(&mut self) -> Result<u8, Fault> {
        Ok(self.bytes(1)?[0])
    }

    /// A number that says by itself how many bytes it has.
    pub fn size(&mut self) -> Result<u64, Fault> {
        match self.byte()? {
            small @ 0..=0xfa => Ok(small.into()),
            0xfc => self.number(2),
            0xfd => self.number(3),
            0xfe => self.number(8),
            _ => Err(short()),
        }
    }

    /// Bytes behind their number.
    pub fn sized(&mut self) -> Result<&'a [u8], Fault> {
        let size = usize::try_from(self.size()?).map_err(|_| short())?;
        self.bytes(size)
    }

    /// Bytes up to a zero, or to the end.
    pub fn until_zero(&mut self) -> &'a [u8] {
        let end = self.0.iter().position(|byte| *byte == 0);
        let (bytes, rest) = self.0.split_at(end.unwrap_or(self.0.len()));
        self.0 = rest.get(1..).unwrap_or_default();
        bytes
    }
}

fn short() -> Fault {
    Fault::Odd("a packet is shorter than it says".to_owned())
}

/// Writes a number that says by itself how many bytes it has.
pub(super) fn put_size(size: usize, into: &mut Vec<u8>) {
    let bytes = (size as u64).to_le_bytes();
    match size {
        0..=0xfa => into.push(bytes[0]),
        0xfb..=0xffff => {
            into.push(0xfc);
            into.extend_from_slice(&bytes[..2]);
        }
        0x1_0000..=0xff_ffff => {
            into.push(0xfd);
            into.extend_from_slice(&bytes[..3]);
        }
        _ => {
            into.push(0xfe);
            into.extend_from_slice(&bytes);
        }
    }
}

/// Writes bytes behind their number.
pub(super) fn put_sized(bytes: &[u8], into: &mut Vec<u8>) {
    put_size(bytes.len(), into);
    into.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn packets_of_any_length_are_read_as_they_were_written() {
        for length in [0, 1, WHOLE - 1, WHOLE, WHOLE + 5] {
            let (near, far) = tokio::io::duplex(1 << 20);
            let (mut near, mut far) = (Wire::new(Box::new(near)), Wire::new(Box::new(far)));
            let sent = vec![7; length];
            far.begin(64 << 20);
            let (written, read) = tokio::join!(near.write(&sent), far.read());
            written.unwrap();
            assert_eq!(read.unwrap().len(), length);
        }
    }

    #[tokio::test]
    async fn an_answer_has_no_more_bytes_than_it_may() {
        let (near, far) = tokio::io::duplex(1 << 20);
        let (mut near, mut far) = (Wire::new(Box::new(near)), Wire::new(Box::new(far)));
        far.begin(100);
        near.write(&[0; 50]).await.unwrap();
        near.write(&[0; 50]).await.unwrap();
        far.read().await.unwrap();
        assert!(matches!(far.read().await, Err(Fault::Beyond)));
        near.begin(10);
        far.begin(10);
        near.write(&[0]).await.unwrap();
        near.write(&[0]).await.unwrap();
    }

    #[test]
    fn a_length_that_is_not_there_is_an_error() {
        for bytes in [
            &b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff"[..],
            b"\x05ab",
            b"\xfb",
            b"",
            b"\xfc\x01",
        ] {
            assert!(Payload(bytes).sized().is_err(), "{bytes:?}");
        }
        for size in [0, 250, 251, 65_535, 65_536, 1 << 24] {
            let mut bytes = Vec::new();
            put_size(size, &mut bytes);
            assert_eq!(Payload(&bytes).size().unwrap(), size as u64);
        }
        assert!(Payload(b"123456789").number(9).is_err());
        let mut payload = Payload(b"ab\0cd");
        assert_eq!(
            (payload.until_zero(), payload.until_zero()),
            (&b"ab"[..], &b"cd"[..])
        );
    }
}
