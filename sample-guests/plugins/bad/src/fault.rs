//! The faults that a plugin can have, and the way it has them.
use std::hint::black_box;

use wythe_sdk::{Error, Result};

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// Returns an error of its own words.
    Error,
    /// The call does not return.
    Hang,
    InitError,
    InitHang,
    InitTrap,
    /// An empty etag.
    LieEtag,
    /// An etag of 10 KiB.
    LieEtagLong,
    /// A key outside the prefix.
    LieList,
    /// A list that always has one page more.
    LieListEndless,
    /// Ten entries above the limit.
    LieListMany,
    LieListUnordered,
    /// A value of 32 MiB.
    LieSize,
    /// 64 MiB of log, then works.
    LogFlood,
    /// Allocates until there is no more.
    Memory,
    /// Calls itself until there is no stack left.
    Recursion,
    Trap,
}

const NAMES: [(&str, Fault); 16] = [
    ("error", Fault::Error),
    ("hang", Fault::Hang),
    ("init-error", Fault::InitError),
    ("init-hang", Fault::InitHang),
    ("init-trap", Fault::InitTrap),
    ("lie-etag", Fault::LieEtag),
    ("lie-etag-long", Fault::LieEtagLong),
    ("lie-list", Fault::LieList),
    ("lie-list-endless", Fault::LieListEndless),
    ("lie-list-many", Fault::LieListMany),
    ("lie-list-unordered", Fault::LieListUnordered),
    ("lie-size", Fault::LieSize),
    ("log-flood", Fault::LogFlood),
    ("memory", Fault::Memory),
    ("recursion", Fault::Recursion),
    ("trap", Fault::Trap),
];

impl Fault {
    pub fn parse(name: &str) -> Result<Self> {
        let found = NAMES
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, fault)| *fault);
        found.ok_or_else(|| Error::invalid(format!("there is no fault `{name}`")))
    }

    /// Has the faults that are not about a result; a lie that does not fit the call is no lie.
    pub fn happen(self) -> Result<()> {
        match self {
            Self::Error => Err(Error::internal("failed, as asked")),
            Self::Hang => hang(),
            Self::LogFlood => {
                flood();
                Ok(())
            }
            Self::Memory => exhaust(),
            Self::Recursion => {
                black_box(recurse(black_box(1)));
                Ok(())
            }
            Self::Trap => panic!("trapped, as asked"),
            _ => Ok(()),
        }
    }
}

pub fn hang() -> ! {
    loop {
        black_box(0);
    }
}

fn exhaust() -> ! {
    let mut held: Vec<Vec<u8>> = Vec::new();
    loop {
        held.push(black_box(vec![1; 1 << 20]));
    }
}

/// Uses its own result, so that it does not become a loop. Its frame is small, so that the stack of calls ends before the
/// one in its memory.
fn recurse(depth: u64) -> u64 {
    match depth {
        0 => 0,
        _ => black_box(recurse(black_box(depth + 1))) + depth,
    }
}

fn flood() {
    let line = "x".repeat(32 << 10);
    for _ in 0..2048 {
        wythe_sdk::info!("{line}");
    }
}
