//! Lines of the control socket: read and written within the bytes that all of its clients may hold together.

use std::{io, sync::Arc};
use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt},
    sync::{OwnedSemaphorePermit, Semaphore},
};

/// Bytes of a line: the largest value of a driver, in base64.
pub const MAX: usize = 96 << 20;
/// Bytes of all lines, of commands and of answers, that the host holds at once.
pub const ALL: usize = 256 << 20;
/// Bytes that are counted together.
const UNIT: usize = 4 << 10;

/// The bytes of all lines at once.
#[derive(Clone)]
pub struct Memory(Arc<Semaphore>);

/// A line and its part of the memory.
pub struct Line {
    pub text: Vec<u8>,
    held: Held,
}

/// A part of the memory; dropping it gives it back.
pub struct Held {
    memory: Memory,
    units: Option<OwnedSemaphorePermit>,
}

/// Reason that there is no line.
#[derive(Debug)]
pub enum End {
    Closed,
    TooLong,
    /// The lines of others fill the memory.
    Full,
}

impl Memory {
    pub fn new(bytes: usize) -> Self {
        Memory(Arc::new(Semaphore::new(bytes / UNIT)))
    }

    /// A part for `bytes`; none where they do not fit.
    pub fn hold(&self, bytes: usize) -> Option<Held> {
        let mut held = Held {
            memory: self.clone(),
            units: None,
        };
        held.reach(bytes).then_some(held)
    }
}

impl Held {
    /// Grows to `bytes`; false where they do not fit.
    fn reach(&mut self, bytes: usize) -> bool {
        let has = self
            .units
            .as_ref()
            .map_or(0, OwnedSemaphorePermit::num_permits);
        let more = bytes.div_ceil(UNIT).saturating_sub(has);
        let Ok(more) = u32::try_from(more) else {
            return false;
        };
        let Ok(more) = self.memory.0.clone().try_acquire_many_owned(more) else {
            return false;
        };
        match &mut self.units {
            Some(units) => units.merge(more),
            None => self.units = Some(more),
        }
        true
    }
}

/// The next line, without its end.
pub async fn read(
    from: &mut (impl AsyncBufRead + Unpin),
    memory: &Memory,
) -> io::Result<Result<Line, End>> {
    let Some(held) = memory.hold(0) else {
        return Ok(Err(End::Full));
    };
    let text = Vec::new();
    let mut line = Line { text, held };
    loop {
        let bytes = from.fill_buf().await?;
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let taken = end.unwrap_or(bytes.len());
        let length = line.text.len() + taken;
        if bytes.is_empty() {
            return Ok(Err(End::Closed));
        }
        if length > MAX {
            return Ok(Err(End::TooLong));
        }
        // A vector that grows has up to twice its bytes.
        if !line.held.reach(length.next_power_of_two()) {
            return Ok(Err(End::Full));
        }
        line.text.extend_from_slice(&bytes[..taken]);
        from.consume(taken + usize::from(end.is_some()));
        if end.is_some() {
            return Ok(Ok(line));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn lines(text: &str, memory: &Memory) -> (Vec<Line>, End) {
        let mut from = tokio::io::BufReader::with_capacity(1_000, text.as_bytes());
        let mut lines = Vec::new();
        loop {
            match read(&mut from, memory).await.expect("no error of a slice") {
                Ok(line) => lines.push(line),
                Err(end) => return (lines, end),
            }
        }
    }

    #[tokio::test]
    async fn lines_share_the_memory_and_give_it_back() {
        let memory = Memory::new(64 << 10);
        let long = "x".repeat(20_000);
        let (held, end) = lines(&format!("a\n{long}\n\nb"), &memory).await;
        let sizes: Vec<_> = held.iter().map(|line| line.text.len()).collect();
        assert_eq!(sizes, [1, 20_000, 0]);
        assert!(matches!(end, End::Closed), "{end:?}");
        let (_, end) = lines(&long, &memory).await;
        assert!(matches!(end, End::Full), "{end:?}");
        drop(held);
        let (_, end) = lines(&long, &memory).await;
        assert!(matches!(end, End::Closed), "{end:?}");
        assert!(memory.hold(64 << 10).is_some());
    }
}
