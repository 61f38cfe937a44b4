//! The arguments of `wythe jobs`.

use super::Project;
use clap::{Subcommand, ValueEnum};
use wythe_blocks::jobs::{Timestamp, read_time};
use wythe_manifest::Duration;

/// Schedule the jobs of an app, and see what becomes of them
#[derive(clap::Args)]
pub struct Jobs {
    #[command(flatten)]
    pub project: Project,
    /// The app whose jobs they are; default the only one of the project
    #[arg(long, global = true)]
    pub app: Option<String>,
    #[command(subcommand)]
    pub verb: JobsVerb,
}

#[derive(Clone, Subcommand)]
pub enum JobsVerb {
    /// Print jobs in the order of their names: when each comes next, how, and how often it has
    List {
        #[arg(default_value = "")]
        prefix: String,
        /// The most that are printed, 1 to 1000
        #[arg(long, default_value = "100")]
        limit: u32,
        /// Go on after this name
        #[arg(long, value_name = "NAME")]
        cursor: Option<String>,
    },
    /// Print all that there is to know of a job
    Get {
        name: String,
    },
    Schedule(Box<Schedule>),
    /// Remove a job; what is absent is fine
    Delete {
        name: String,
    },
    /// Run a job no more until `resume`
    Pause {
        name: String,
    },
    /// Go on with the schedule
    Resume {
        name: String,
    },
}

/// Write a job and print when it comes first: `wythe jobs schedule sweep --every 10m`
#[derive(Clone, clap::Args)]
pub struct Schedule {
    pub name: String,
    #[command(flatten)]
    pub when: When,
    /// IANA name of the time zone that --cron is in; default UTC
    #[arg(long, value_name = "ZONE", conflicts_with_all = ["every", "at", "after"])]
    pub time_zone: Option<String>,
    /// The data that each run is given; `-` for standard input
    #[arg(short, long, default_value = "", hide_default_value = true)]
    pub data: String,
    /// The number of runs, after which there are no more
    #[arg(long, value_name = "COUNT")]
    pub repeats: Option<u32>,
    /// The time before which no run comes, such as `2030-01-31T07:30:00Z`
    #[arg(long, value_name = "TIME", value_parser = read_time)]
    pub start: Option<Timestamp>,
    /// The time after which no run comes
    #[arg(long, value_name = "TIME", value_parser = read_time)]
    pub end: Option<Timestamp>,
    /// The pause after a run that failed, before the next try
    #[arg(long, value_name = "DURATION", default_value = "1s")]
    pub retry: Duration,
    /// Tries after a run that failed: a number, or `forever`
    #[arg(long, value_name = "COUNT", default_value = "3", value_parser = retries)]
    pub retries: Retries,
    /// The treatment of runs that came due while no host ran
    #[arg(long, value_enum, default_value = "one")]
    pub misfire: Misfire,
    /// Replace a job of this name, which starts anew
    #[arg(long)]
    pub overwrite: bool,
}

#[derive(Clone, clap::Args)]
#[group(required = true, multiple = false)]
pub struct When {
    /// Six fields with seconds, five without, or `@daily` and the like
    #[arg(long, value_name = "SCHEDULE")]
    pub cron: Option<String>,
    /// The interval of runs that come again and again, such as `90s` or `12h`
    #[arg(long, value_name = "DURATION")]
    pub every: Option<Duration>,
    /// The time of a single run, such as `2030-01-31T07:30:00Z`
    #[arg(long, value_name = "TIME", value_parser = read_time)]
    pub at: Option<Timestamp>,
    /// The time from now until a single run
    #[arg(long = "in", value_name = "DURATION")]
    pub after: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Misfire {
    /// They come as one
    One,
    /// Each comes
    All,
    /// They are left out
    Skip,
}

/// The most tries; absent for tries until it succeeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retries(pub Option<u32>);

fn retries(text: &str) -> Result<Retries, String> {
    match text {
        "forever" => Ok(Retries(None)),
        _ => match text.parse() {
            Ok(count) => Ok(Retries(Some(count))),
            Err(_) => Err("expected a number or `forever`".into()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Args, Command};
    use clap::Parser;

    fn schedule(words: &str) -> Result<Schedule, clap::Error> {
        let line = format!("wythe jobs schedule sweep {words}");
        let args = Args::try_parse_from(line.split_whitespace())?;
        match args.command {
            Command::Jobs(Jobs {
                verb: JobsVerb::Schedule(schedule),
                ..
            }) => Ok(*schedule),
            _ => panic!("not jobs schedule"),
        }
    }

    #[test]
    fn one_trigger_is_needed() {
        for words in ["", "--every 5m --in 5m", "--every 5m --time-zone UTC"] {
            assert!(schedule(words).is_err(), "{words}");
        }
        let once = schedule("--at 1970-01-01T00:00:05Z --retries forever").unwrap();
        assert_eq!((once.when.at, once.retries), (Some(5_000), Retries(None)));
        let daily = schedule("--cron @daily --time-zone UTC --retries 0").unwrap();
        assert_eq!(daily.when.cron.as_deref(), Some("@daily"));
        assert_eq!(
            (daily.retries, daily.misfire),
            (Retries(Some(0)), Misfire::One)
        );
    }

    #[test]
    fn a_wrong_time_is_told() {
        let error = schedule("--at tomorrow").err().expect("an error");
        let expected = "the time `tomorrow`; expected one such as `2030-01-31T07:30:00Z`";
        assert!(error.to_string().contains(expected), "{error}");
    }
}
