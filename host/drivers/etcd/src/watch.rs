//! A watch of all rows of a component: the server says when one changes, by a connection for that alone.

use crate::{fault::Fault, space::Space};
use serde::Deserialize;
use serde_json::json;
use tokio::time::timeout;
use wythe_blocks::{Error, Result};
use wythe_client::{Effect, Failed, Flow};

/// Bytes of the first line, by which the server says that it watches.
const LINE: usize = 64 << 10;
const ABOUT: &str = "a watch";

pub(crate) struct Watch {
    flow: Flow,
    /// True where something came with the first line.
    has_more: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Line {
    result: Begun,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Begun {
    created: bool,
    canceled: bool,
}

impl Watch {
    /// Begins a watch; what is written from then on is a change.
    pub async fn begin(space: &Space) -> Result<Self> {
        let client = space.session.client()?;
        let begun = timeout(client.target.timeout, Self::try_begin(space)).await;
        let begun = begun.map_err(|_| Error::unavailable("the server did not begin a watch"))?;
        begun.map_err(|fault| fault.error(Effect::Read, ABOUT))
    }

    async fn try_begin(space: &Space) -> Result<Self, Fault> {
        let (key, end) = space.bounds_of_all();
        let body = json!({ "create_request": { "key": key, "range_end": end } });
        let mut flow = space.session.known().flow("/v3/watch", &body).await?;
        if !flow.status().is_success() {
            return Err(Fault::Odd(format!("status {}", flow.status())));
        }
        let mut line = Vec::new();
        loop {
            let piece = flow.piece().await;
            let piece = piece.ok_or_else(|| Fault::Odd("an end at once".to_owned()))?;
            let piece = piece.map_err(|fault| {
                Fault::Way(Failed::Fault {
                    fault,
                    was_sent: true,
                })
            })?;
            line.extend_from_slice(&piece[..piece.len().min(LINE)]);
            if let Some(at) = line.iter().position(|byte| *byte == b'\n') {
                let first: Line = serde_json::from_slice(&line[..at]).unwrap_or_default();
                let has_more = line.len() > at + 1;
                return match first.result.created && !first.result.canceled {
                    true => Ok(Watch { flow, has_more }),
                    false => Err(Fault::Odd("no watch".to_owned())),
                };
            }
            if line.len() > LINE {
                return Err(Fault::Odd("a line that does not end".to_owned()));
            }
        }
    }

    /// Waits until the server says anything more, of which nothing is read; false where the watch is over.
    pub async fn change(&mut self) -> bool {
        let is_known = std::mem::take(&mut self.has_more);
        is_known || matches!(self.flow.piece().await, Some(Ok(_)))
    }
}
