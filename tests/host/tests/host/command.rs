//! The command line, as transcripts: what is typed, what is printed, and the exit code.

use libtest_mimic::Trial;

pub fn trials() -> Vec<Trial> {
    Vec::new()
}
