//! The bytes of commands and answers at the control socket: held within what all of its clients may have together.

use bytes::Bytes;
use http_body::Body;
use http_body_util::BodyExt;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// Bytes of a command, and of an answer: the largest value of a driver, in base64.
pub const MAX: usize = 96 << 20;
/// Bytes of all commands and answers that the host holds at once.
pub const ALL: usize = 256 << 20;
/// Bytes that are counted together.
const UNIT: usize = 4 << 10;
/// Time for the whole of a command to come.
const TIME: Duration = Duration::from_secs(10);

/// The bytes of all commands and answers at once.
#[derive(Clone)]
pub struct Memory(Arc<Semaphore>);

/// A command or an answer, whole, with its part of the memory.
pub struct Whole {
    bytes: Vec<u8>,
    held: Held,
}

/// A part of the memory; dropping it gives it back.
pub struct Held {
    memory: Memory,
    units: Option<OwnedSemaphorePermit>,
}

/// Reason that there is no command.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    TooLong,
    /// The commands and answers of others fill the memory.
    Full,
    Slow,
    /// The client left.
    Early,
}

impl Memory {
    pub fn new(bytes: usize) -> Self {
        Memory(Arc::new(Semaphore::new(bytes / UNIT)))
    }

    /// Reads a command whole.
    pub async fn read<B>(&self, body: B) -> Result<Whole, End>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let read = timeout(TIME, self.collect(body));
        read.await.unwrap_or(Err(End::Slow))
    }

    /// Holds an answer; none where it does not fit.
    pub fn hold(&self, bytes: Vec<u8>) -> Option<Whole> {
        let mut held = self.nothing();
        held.reach(bytes.capacity())
            .then_some(Whole { bytes, held })
    }

    async fn collect<B>(&self, mut body: B) -> Result<Whole, End>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let (bytes, held) = (Vec::new(), self.nothing());
        let mut whole = Whole { bytes, held };
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| End::Early)?.into_data() else {
                continue;
            };
            let length = whole.bytes.len() + data.len();
            if length > MAX {
                return Err(End::TooLong);
            }
            // A vector that grows has up to twice its bytes.
            if !whole.held.reach(length.next_power_of_two()) {
                return Err(End::Full);
            }
            whole.bytes.extend_from_slice(&data);
        }
        Ok(whole)
    }

    fn nothing(&self) -> Held {
        Held {
            memory: self.clone(),
            units: None,
        }
    }
}

impl Whole {
    /// The part of the memory, for what was made of the bytes, which are no more.
    pub fn held(self) -> Held {
        self.held
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

impl AsRef<[u8]> for Whole {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body::Frame;
    use http_body_util::{Full, StreamBody};
    use std::convert::Infallible;

    #[tokio::test]
    async fn commands_and_answers_share_the_memory_and_give_it_back() {
        let memory = Memory::new(64 << 10);
        let body = |length| Full::new(Bytes::from(vec![b'x'; length]));
        let held = memory.read(body(20_000)).await.expect("there is room");
        assert_eq!(held.as_ref().len(), 20_000);
        // An answer is counted until the last piece of it is written.
        let answer = memory.hold(vec![0; 20_000]).expect("there is room");
        let answer = Bytes::from_owner(answer);
        let last = answer.slice(19_999..);
        drop(answer);
        let full = memory.read(body(20_000)).await.err();
        assert_eq!(full, Some(End::Full));
        assert!(memory.hold(vec![0; 20_000]).is_none());
        drop(last);
        assert!(memory.read(body(20_000)).await.is_ok());
        drop(held);
        assert!(memory.hold(vec![0; 64 << 10]).is_some());
    }

    #[tokio::test]
    async fn a_command_ends_where_it_is_too_long_or_its_client_leaves() {
        let memory = Memory::new(ALL);
        let piece = || Ok(Frame::data(Bytes::from(vec![0; 1 << 20])));
        let endless = StreamBody::new(futures::stream::repeat_with(piece));
        let long = endless.map_err(|never: Infallible| never);
        assert_eq!(memory.read(long).await.err(), Some(End::TooLong));
        let left = futures::stream::iter([piece().map_err(|_: Infallible| ""), Err("left")]);
        let left = memory.read(StreamBody::new(left)).await;
        assert_eq!(left.err(), Some(End::Early));
        assert!(memory.hold(vec![0; ALL]).is_some(), "all is given back");
    }

    #[tokio::test(start_paused = true)]
    async fn a_command_that_does_not_come_is_given_up() {
        let memory = Memory::new(ALL);
        let drip = futures::stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let piece = Frame::data(Bytes::from_static(b" "));
            Some((Ok::<_, Infallible>(piece), ()))
        });
        let slow = memory.read(StreamBody::new(Box::pin(drip))).await;
        assert_eq!(slow.err(), Some(End::Slow));
    }
}
