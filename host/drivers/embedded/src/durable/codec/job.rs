//! A stored job and its compact form on disk. App and name are the key, and not here again.
//!
//! Layout, numbers little-endian: format (1 byte), flags (2), version (8), wake (8, if flagged), and then what only a
//! whole row needs: incarnation (8), occurrences (8), attempts (4); due, start, end (8 each) and repeats (4) where
//! flagged; the trigger: its kind (1) and a time or interval (8), or an expression and, if flagged, a time zone (2 for
//! the length, then the text); the retry interval (8) and number (4) where flagged; the misfire policy (1); a failure
//! (2 and the text, if flagged); and all the rest is the data.

use bytes::Bytes;
use std::time::Duration;
use wythe_blocks::{
    Error, Result,
    jobs::{FailurePolicy, Job, Misfire, Row, Timestamp, Trigger},
    time::milliseconds,
};

const FORMAT: u8 = 1;

const WAKE: u16 = 1;
const DUE: u16 = 1 << 1;
const START: u16 = 1 << 2;
const END: u16 = 1 << 3;
const REPEATS: u16 = 1 << 4;
const ZONE: u16 = 1 << 5;
const RETRY: u16 = 1 << 6;
const MAX_RETRIES: u16 = 1 << 7;
const PAUSED: u16 = 1 << 8;
const FAILURE: u16 = 1 << 9;
const FLAGS: u16 = (1 << 10) - 1;

const ONCE: u8 = 0;
const EVERY: u8 = 1;
const CRON: u8 = 2;

const ONE: u8 = 0;
const ALL: u8 = 1;
const SKIP: u8 = 2;

/// The part of a stored row that a compare-and-set and the index need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub version: u64,
    pub wake: Option<Timestamp>,
}

impl Head {
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self> {
        Ok(Reader::open(bytes)?.1)
    }
}

pub(crate) fn encode(row: &Row) -> Vec<u8> {
    let job = &row.job;
    let mut bytes = Vec::with_capacity(96 + job.data.len());
    bytes.push(FORMAT);
    bytes.extend(flags(row).to_le_bytes());
    bytes.extend(row.version.to_le_bytes());
    put_times(&mut bytes, [row.wake]);
    bytes.extend(row.incarnation.to_le_bytes());
    bytes.extend(row.occurrences.to_le_bytes());
    bytes.extend(row.attempts.to_le_bytes());
    put_times(&mut bytes, [row.due, job.start, job.end]);
    bytes.extend(job.repeats.into_iter().flat_map(u32::to_le_bytes));
    put_trigger(&mut bytes, &job.trigger);
    if let FailurePolicy::Retry {
        interval,
        max_retries,
    } = job.on_failure
    {
        bytes.extend(milliseconds(interval).to_le_bytes());
        bytes.extend(max_retries.into_iter().flat_map(u32::to_le_bytes));
    }
    bytes.push(match job.on_misfire {
        Misfire::One => ONE,
        Misfire::All => ALL,
        Misfire::Skip => SKIP,
    });
    if let Some(failure) = &row.failure {
        put_text(&mut bytes, failure);
    }
    bytes.extend(&job.data);
    bytes
}

fn flags(row: &Row) -> u16 {
    let job = &row.job;
    let zone = matches!(
        &job.trigger,
        Trigger::Cron {
            time_zone: Some(_),
            ..
        }
    );
    let max_retries = matches!(
        job.on_failure,
        FailurePolicy::Retry {
            max_retries: Some(_),
            ..
        }
    );
    [
        (row.wake.is_some(), WAKE),
        (row.due.is_some(), DUE),
        (job.start.is_some(), START),
        (job.end.is_some(), END),
        (job.repeats.is_some(), REPEATS),
        (zone, ZONE),
        (job.on_failure != FailurePolicy::Drop, RETRY),
        (max_retries, MAX_RETRIES),
        (row.paused, PAUSED),
        (row.failure.is_some(), FAILURE),
    ]
    .into_iter()
    .filter(|(is_set, _)| *is_set)
    .fold(0, |flags, (_, flag)| flags | flag)
}

fn put_times<const N: usize>(bytes: &mut Vec<u8>, times: [Option<Timestamp>; N]) {
    for time in times.into_iter().flatten() {
        bytes.extend(time.to_le_bytes());
    }
}

fn put_trigger(bytes: &mut Vec<u8>, trigger: &Trigger) {
    match trigger {
        Trigger::Once(at) => {
            bytes.push(ONCE);
            bytes.extend(at.to_le_bytes());
        }
        Trigger::Every(interval) => {
            bytes.push(EVERY);
            bytes.extend(milliseconds(*interval).to_le_bytes());
        }
        Trigger::Cron {
            expression,
            time_zone,
        } => {
            bytes.push(CRON);
            put_text(bytes, expression);
            if let Some(zone) = time_zone {
                put_text(bytes, zone);
            }
        }
    }
}

/// The block lets nothing longer than 1 KiB come here; what is longer all the same is cut.
fn put_text(bytes: &mut Vec<u8>, text: &str) {
    let end = text.floor_char_boundary(text.len().min(u16::MAX.into()));
    bytes.extend((end as u16).to_le_bytes());
    bytes.extend(&text.as_bytes()[..end]);
}

pub(crate) fn decode(app: &str, name: &str, bytes: &[u8]) -> Result<Row> {
    let (mut reader, head) = Reader::open(bytes)?;
    let incarnation = reader.u64()?;
    let occurrences = reader.u64()?;
    let attempts = reader.u32()?;
    let due = reader.if_set(DUE, Reader::u64)?;
    let job = Job {
        name: name.to_owned(),
        start: reader.if_set(START, Reader::u64)?,
        end: reader.if_set(END, Reader::u64)?,
        repeats: reader.if_set(REPEATS, Reader::u32)?,
        trigger: reader.trigger()?,
        on_failure: reader.on_failure()?,
        on_misfire: reader.on_misfire()?,
        data: Bytes::new(),
    };
    let failure = reader.if_set(FAILURE, Reader::text)?;
    Ok(Row {
        app: app.to_owned(),
        job: Job {
            data: Bytes::copy_from_slice(reader.rest),
            ..job
        },
        incarnation,
        version: head.version,
        due,
        wake: head.wake,
        attempts,
        paused: reader.flags & PAUSED != 0,
        occurrences,
        failure,
    })
}

struct Reader<'a> {
    rest: &'a [u8],
    flags: u16,
}

impl<'a> Reader<'a> {
    fn open(bytes: &'a [u8]) -> Result<(Self, Head)> {
        let mut reader = Reader {
            rest: bytes,
            flags: 0,
        };
        match reader.u8()? {
            FORMAT => {}
            format if format > FORMAT => {
                return Err(Error::internal(format!(
                    "a stored job has format {format}; this build reads up to {FORMAT}"
                )));
            }
            _ => return Err(damaged()),
        }
        reader.flags = u16::from_le_bytes(reader.array()?);
        if reader.flags & !FLAGS != 0 {
            return Err(damaged());
        }
        let head = Head {
            version: reader.u64()?,
            wake: reader.if_set(WAKE, Self::u64)?,
        };
        Ok((reader, head))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or_else(damaged)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        self.take(N)?.try_into().map_err(|_| damaged())
    }

    fn u8(&mut self) -> Result<u8> {
        Ok(self.array::<1>()?[0])
    }

    fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    fn text(&mut self) -> Result<String> {
        let length = u16::from_le_bytes(self.array()?);
        let text = std::str::from_utf8(self.take(length.into())?);
        text.map(str::to_owned).map_err(|_| damaged())
    }

    fn if_set<T>(
        &mut self,
        flag: u16,
        read: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<Option<T>> {
        (self.flags & flag != 0).then(|| read(self)).transpose()
    }

    fn trigger(&mut self) -> Result<Trigger> {
        Ok(match self.u8()? {
            ONCE => Trigger::Once(self.u64()?),
            EVERY => Trigger::Every(Duration::from_millis(self.u64()?)),
            CRON => Trigger::Cron {
                expression: self.text()?,
                time_zone: self.if_set(ZONE, Self::text)?,
            },
            _ => return Err(damaged()),
        })
    }

    fn on_failure(&mut self) -> Result<FailurePolicy> {
        let interval = self.if_set(RETRY, Self::u64)?;
        let max_retries = self.if_set(MAX_RETRIES, Self::u32)?;
        Ok(
            interval.map_or(FailurePolicy::Drop, |interval| FailurePolicy::Retry {
                interval: Duration::from_millis(interval),
                max_retries,
            }),
        )
    }

    fn on_misfire(&mut self) -> Result<Misfire> {
        Ok(match self.u8()? {
            ONE => Misfire::One,
            ALL => Misfire::All,
            SKIP => Misfire::Skip,
            _ => return Err(damaged()),
        })
    }
}

fn damaged() -> Error {
    Error::internal(
        "a stored job is damaged: expected format, flags, version and the rest of a row",
    )
}

#[cfg(test)]
mod tests;
