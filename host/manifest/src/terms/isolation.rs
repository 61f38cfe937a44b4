//! The process in which a tenant runs, and the users that such processes have.

use std::str::FromStr;

use crate::name::shown;
use crate::reader::At;

/// The process in which a tenant runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Isolation {
    /// The host's own, which tenants share.
    #[default]
    Shared,
    /// One of its own, which the kernel keeps apart.
    Process,
}

pub(super) fn read(at: &At) -> Option<Isolation> {
    match at.text()? {
        "shared" => Some(Isolation::Shared),
        "process" => Some(Isolation::Process),
        other => {
            let message = format!("expected `shared` or `process`, found `{}`", shown(other));
            at.error(&message);
            None
        }
    }
}

/// A range of numbers of users, both ends among them: each tenant with a process of its own has one of them, and the group of
/// the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Users {
    /// The lowest number, 1,000 at least.
    pub first: u32,
    /// The highest number.
    pub last: u32,
}

/// Numbers that systemd and the tables of subordinate users leave free.
impl Default for Users {
    fn default() -> Self {
        Users {
            first: 1_900_000_000,
            last: 1_900_065_535,
        }
    }
}

impl Users {
    /// The numbers below are those of the system.
    const LOWEST: u32 = 1_000;

    /// Returns whether a number is one of these.
    pub fn contains(&self, user: u32) -> bool {
        (self.first..=self.last).contains(&user)
    }
}

impl FromStr for Users {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "expected two numbers of users, {} or more, such as `300000-365535`",
                Self::LOWEST
            )
        };
        let (first, last) = text.split_once('-').ok_or_else(wrong)?;
        let number = |text: &str| text.trim().parse::<u32>().map_err(|_| wrong());
        let (first, last) = (number(first)?, number(last)?);
        // The highest number means that there is none.
        match first >= Self::LOWEST && first <= last && last < u32::MAX {
            true => Ok(Users { first, last }),
            false => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_a_range_beyond_those_of_the_system() {
        let read = |text: &str| text.parse::<Users>().map(|users| (users.first, users.last));
        assert_eq!(read("300000-365535"), Ok((300_000, 365_535)));
        assert_eq!(read("1000 - 1000"), Ok((1_000, 1_000)));
        for wrong in [
            "",
            "5",
            "0-9",
            "999-2000",
            "3000-2000",
            "1000-4294967295",
            "a-b",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        assert!(Users::default().contains(1_900_000_000) && !Users::default().contains(0));
    }
}
