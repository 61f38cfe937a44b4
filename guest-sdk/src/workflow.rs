//! Workflows: start them and look after them; write them as functions of a [`Context`]; do their work as [`Activity`]s.
//!
//! A component of workflows is one of its own, for it may import nothing but what is the same when its code runs again.
//!
//! ```no_run
//! use std::time::Duration;
//! use wythe_sdk::Result;
//! use wythe_sdk::workflow::{Context, Retry};
//!
//! fn order(ctx: &Context, order: u32) -> Result<String> {
//!     let charge: String = ctx.with_retry(Retry::times(5)).call("charge", &order)?;
//!     let shipped: Result<String> = ctx.call("ship", &order);
//!     if shipped.is_err() {
//!         ctx.call::<()>("refund", &charge)?;
//!     }
//!     ctx.sleep(Duration::from_secs(14 * 24 * 3600))?;
//!     ctx.call("ask-for-a-review", &order)
//! }
//!
//! wythe_sdk::workflows!(order);
//! ```
mod activity;
mod code;
mod context;

use std::fmt;
use std::time::{Duration, SystemTime};

use serde::{Serialize, de::DeserializeOwned};

use crate::contract::app::wythe::blocks::workflow;
use crate::{Result, timestamp};

pub use activity::{Activity, Failure, perform};
pub use code::run;
pub use context::{Awaited, Context, Join, Retry, Task};
#[doc(inline)]
pub use workflow::{Filter, Instance, Page, StartOptions, Status};

/// Begins an instance and returns its id, which is a random one where none is given. Returns once the instance is
/// durable.
///
/// ```no_run
/// # fn main() -> wythe_sdk::Result<()> {
/// use wythe_sdk::workflow;
///
/// let id = workflow::start("order", Some("order-17"), &17)?;
/// let status = workflow::get(&id)?.map(|instance| instance.status);
/// # Ok(())
/// # }
/// ```
pub fn start<I: Serialize + ?Sized>(name: &str, id: Option<&str>, input: &I) -> Result<String> {
    begin(name, id, None, input)
}

/// Does what [`start`] does, but its code does not run before this time.
pub fn start_at<I: Serialize + ?Sized>(
    name: &str,
    id: Option<&str>,
    at: SystemTime,
    input: &I,
) -> Result<String> {
    begin(name, id, Some(timestamp(at)), input)
}

fn begin<I: Serialize + ?Sized>(
    name: &str,
    id: Option<&str>,
    at: Option<u64>,
    input: &I,
) -> Result<String> {
    let options = StartOptions {
        id: id.map(str::to_owned),
        at,
    };
    let input = serde_json::to_vec(input)?;
    Ok(workflow::start(name, &input, &options)?)
}

/// Reads an instance; none where there is no such instance.
pub fn get(id: &str) -> Result<Option<Instance>> {
    Ok(workflow::get(id)?)
}

/// Does what [`get`] does, once the instance has ended or stalled, or after so long: then as it is.
pub fn wait_end(id: &str, timeout: Duration) -> Result<Option<Instance>> {
    Ok(workflow::wait_end(id, crate::milliseconds(timeout))?)
}

/// One page of instances that fit: at most `limit` (1 to 1,000) from where the cursor of the last page points.
pub fn list_page(filter: &Filter, cursor: Option<&str>, limit: u32) -> Result<Page> {
    Ok(workflow::list(filter, cursor, Some(limit))?)
}

/// Sends an event to an instance, which hears of it when it waits for one of that name.
pub fn raise<T: Serialize + ?Sized>(id: &str, event: &str, data: &T) -> Result<()> {
    Ok(workflow::raise(id, event, &serde_json::to_vec(data)?)?)
}

/// Suspends an instance: its code does not run until [`resume`]; what it waits for goes on.
pub fn suspend(id: &str, reason: &str) -> Result<()> {
    Ok(workflow::suspend(id, reason)?)
}

/// Resumes a suspended instance, or a stalled one, whose code then tries again.
pub fn resume(id: &str, reason: &str) -> Result<()> {
    Ok(workflow::resume(id, reason)?)
}

/// Ends an instance, with an output.
pub fn terminate<T: Serialize + ?Sized>(id: &str, output: &T) -> Result<()> {
    Ok(workflow::terminate(id, &serde_json::to_vec(output)?)?)
}

/// Removes an instance that has ended, with its journal.
pub fn purge(id: &str) -> Result<()> {
    Ok(workflow::purge(id)?)
}

/// Begins a new instance over the first `entries` of another one's journal, and returns its id.
pub fn rerun(id: &str, entries: u32, new_id: Option<&str>) -> Result<String> {
    Ok(workflow::rerun(id, entries, new_id)?)
}

impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Status::Pending => "pending",
            Status::Running => "running",
            Status::Suspended => "suspended",
            Status::Completed => "completed",
            Status::Failed => "failed",
            Status::Terminated => "terminated",
            Status::Stalled => "stalled",
        })
    }
}

impl Instance {
    /// True once nothing of it runs any more.
    pub fn has_ended(&self) -> bool {
        matches!(
            self.status,
            Status::Completed | Status::Failed | Status::Terminated
        )
    }

    /// The output that it came to; none before its end, and for one that failed.
    pub fn output<T: DeserializeOwned>(&self) -> Result<Option<T>> {
        let output = self.output.as_deref();
        output.map(value).transpose()
    }
}

/// Reads a value: no bytes are as good as `null`.
fn value<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let bytes = if bytes.is_empty() { b"null" } else { bytes };
    Ok(serde_json::from_slice(bytes)?)
}
