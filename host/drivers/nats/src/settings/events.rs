//! The settings of pub/sub.

use super::{Config, limit};
use std::time::Duration;
use wythe_blocks::{Result, Wrong};
use wythe_net::wrong;

/// The time after which a message that nobody speaks of goes to another member; by default.
const ACK_WAIT: Duration = Duration::from_secs(30);

/// The place at which a group that is new begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begin {
    /// The next message that is published.
    Now,
    All,
    Last,
    Sequence(u64),
    /// Seconds since 1970.
    Time(u64),
}

#[derive(Clone, Debug)]
pub(crate) struct Events {
    pub stream: Option<String>,
    /// The name of the consumer at the server, in place of one of group and topic.
    pub durable: Option<String>,
    /// The group, in place of the app's own.
    pub group: Option<String>,
    pub begin: Begin,
    pub ack_wait: Duration,
    pub max_deliver: Option<u32>,
    pub max_ack_pending: Option<u32>,
    /// Messages that a subscription has at once.
    pub at_once: usize,
    pub max_backlog: u64,
}

/// The first setting of pub/sub that is written.
pub(super) fn written(config: &Config) -> Option<&'static str> {
    let own = [
        ("streamName", config.stream_name.is_some()),
        ("durableName", config.durable_name.is_some()),
        ("queueGroupName", config.queue_group_name.is_some()),
        ("startSequence", config.start_sequence.is_some()),
        ("startTime", config.start_time.is_some()),
        ("flowControl", config.flow_control.is_some()),
        ("ackWait", config.ack_wait.is_some()),
        ("maxDeliver", config.max_deliver.is_some()),
        ("maxAckPending", config.max_ack_pending.is_some()),
        ("deliverPolicy", config.deliver_policy.is_some()),
        ("ackPolicy", config.ack_policy.is_some()),
        ("concurrency", config.concurrency.is_some()),
        ("backOff", config.back_off.is_some()),
        ("rateLimit", config.rate_limit.is_some()),
        ("heartbeat", config.heartbeat.is_some()),
        ("maxBacklog", config.max_backlog.is_some()),
    ];
    let found = own.into_iter().find(|(_, is_written)| *is_written);
    found.map(|(setting, _)| setting)
}

impl Events {
    pub fn parse(config: &Config) -> Result<Self, Wrong> {
        refuse(config)?;
        if config.stream_name.is_some() && config.max_backlog.is_some() {
            let why = "the stream of `streamName` has its own bounds; delete one of the two";
            return Err(wrong("maxBacklog", why));
        }
        for (setting, name) in [
            ("streamName", &config.stream_name),
            ("durableName", &config.durable_name),
        ] {
            check_name(setting, name.as_deref())?;
        }
        let ack_wait = limit("ackWait", config.ack_wait, ACK_WAIT)?;
        if ack_wait < Duration::from_millis(300) {
            return Err(wrong("ackWait", "expected 300ms to 24h"));
        }
        for (setting, number) in [
            ("maxDeliver", config.max_deliver),
            ("maxAckPending", config.max_ack_pending),
        ] {
            if number == Some(0) {
                return Err(wrong(setting, "expected 1 or more"));
            }
        }
        let max_backlog = config.max_backlog.unwrap_or(1_000_000);
        if !(1..=1 << 40).contains(&max_backlog) {
            return Err(wrong("maxBacklog", "expected 1 or more"));
        }
        Ok(Events {
            stream: config.stream_name.clone(),
            durable: config.durable_name.clone(),
            group: config
                .queue_group_name
                .clone()
                .filter(|name| !name.is_empty()),
            begin: begin(config)?,
            ack_wait,
            max_deliver: config.max_deliver,
            max_ack_pending: config.max_ack_pending,
            at_once: at_once(config)?,
            max_backlog,
        })
    }
}

/// Refuses what a group that pulls does not have.
fn refuse(config: &Config) -> Result<(), Wrong> {
    if config.back_off.is_some() {
        let why = "pauses between deliveries are policies here: write a `Resiliency` with a retry for the component";
        return Err(wrong("backOff", why));
    }
    for (setting, is_written) in [
        ("rateLimit", config.rate_limit.is_some()),
        ("heartbeat", config.heartbeat.is_some()),
    ] {
        if is_written {
            let why = "this is of consumers to which the server pushes; here the host pulls what it has room for: delete it";
            return Err(wrong(setting, why));
        }
    }
    match config.ack_policy.as_deref() {
        None | Some("" | "explicit") => Ok(()),
        Some(_) => Err(wrong(
            "ackPolicy",
            "expected `explicit`: each message is acknowledged by itself, once the app has it",
        )),
    }
}

fn begin(config: &Config) -> Result<Begin, Wrong> {
    let (sequence, time) = (config.start_sequence, config.start_time);
    let begin = match (config.deliver_policy.as_deref(), sequence, time) {
        (None | Some(""), None, None) => Begin::Now,
        (None | Some("" | "sequence"), Some(sequence), None) => Begin::Sequence(sequence),
        (None | Some("" | "time"), None, Some(time)) => Begin::Time(time),
        (Some("new"), None, None) => Begin::Now,
        (Some("all"), None, None) => Begin::All,
        (Some("last"), None, None) => Begin::Last,
        (Some("sequence"), None, None) => {
            return Err(wrong("deliverPolicy", "expected `startSequence` beside it"));
        }
        (Some("time"), None, None) => {
            return Err(wrong("deliverPolicy", "expected `startTime` beside it"));
        }
        (Some("all" | "last" | "new" | "sequence" | "time") | None, ..) => {
            let why = "`startSequence` and `startTime` do not fit it; leave one of them";
            return Err(wrong("deliverPolicy", why));
        }
        _ => {
            let why = "expected `all`, `last`, `new`, `sequence` or `time`";
            return Err(wrong("deliverPolicy", why));
        }
    };
    match begin {
        Begin::Sequence(0) => Err(wrong("startSequence", "expected 1 or more")),
        // The last time that the server can read, in the year 9999.
        Begin::Time(253_402_300_800..) => Err(wrong("startTime", "expected seconds since 1970")),
        begin => Ok(begin),
    }
}

fn at_once(config: &Config) -> Result<usize, Wrong> {
    match config.concurrency.as_deref() {
        None | Some("" | "parallel") => Ok(1_000),
        Some("single") => Ok(1),
        Some(_) => Err(wrong("concurrency", "expected `single` or `parallel`")),
    }
}

/// A name of the server, in which points and wildcards would be parts of a subject.
fn check_name(setting: &'static str, name: Option<&str>) -> Result<(), Wrong> {
    let bad = |c: char| c.is_whitespace() || c.is_control() || ".*>/\\".contains(c);
    match name {
        Some(name) if name.is_empty() || name.len() > 200 || name.contains(bad) => Err(wrong(
            setting,
            "expected 1 to 200 bytes without `.`, `*`, `>`, `/`, `\\` and spaces",
        )),
        _ => Ok(()),
    }
}
