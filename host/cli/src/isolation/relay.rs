//! The log of a tenant's process on its way into the host's: each line is bounded, counted and marked with the tenant's name,
//! whatever it says.

use crate::{args::LogFormat, log};
use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use std::{
    io::{BufRead, BufReader, Read},
    process::ChildStderr,
    sync::Arc,
    thread,
};
use wythe_blocks::{Rate, text::escape};
use wythe_manifest::Name;

/// Bytes of a line; the rest of a longer one is the next line.
const LINE: u64 = 16 << 10;
/// Lines a second of one tenant.
const LINES: u32 = 1_000;
/// Bytes of the last line that are remembered.
const LAST: usize = 512;

/// The last line that a process said.
pub type Last = Arc<Mutex<String>>;

/// Passes on what comes until it ends, on a thread of its own.
pub fn start(stderr: ChildStderr, tenant: Name, format: LogFormat) -> std::io::Result<Last> {
    let last = Last::default();
    let said = last.clone();
    thread::Builder::new()
        .name("tenant-log".into())
        .spawn(move || pass(stderr, &tenant, format, &said))?;
    Ok(last)
}

fn pass(stderr: impl Read, tenant: &Name, format: LogFormat, last: &Mutex<String>) {
    let (rate, mut lines) = (Rate::per_second(LINES), BufReader::new(stderr));
    loop {
        let mut line = Vec::new();
        match lines.by_ref().take(LINE).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_end_matches(['\n', '\r']);
        let mut end = line.len().min(LAST);
        while !line.is_char_boundary(end) {
            end -= 1;
        }
        line[..end].clone_into(&mut last.lock());
        let Some(unsaid) = rate.allows() else {
            continue;
        };
        if unsaid > 0 {
            log::pass(&shown(&format!("{unsaid} lines left out"), tenant, format));
        }
        log::pass(&shown(line, tenant, format));
    }
}

fn shown(line: &str, tenant: &Name, format: LogFormat) -> String {
    let name = tenant.as_str();
    match format {
        LogFormat::Text => format!("[{name}] {}\n", escape(line)),
        LogFormat::Json => {
            let mut event: Map<String, Value> = serde_json::from_str(line).unwrap_or_else(|_| {
                let line = json!({ "level": "WARN", "message": line });
                line.as_object().cloned().unwrap_or_default()
            });
            event.insert("process".into(), name.into());
            format!("{}\n", Value::Object(event))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_whose_process_said_it() {
        let tenant: Name = "shop".parse().unwrap();
        let text = |line| shown(line, &tenant, LogFormat::Text);
        assert_eq!(text("INFO  hello"), "[shop] INFO  hello\n");
        assert!(!text("\u{1b}[2Jx").contains('\u{1b}'));
        let object = |line| -> Value {
            serde_json::from_str(&shown(line, &tenant, LogFormat::Json)).unwrap()
        };
        assert_eq!(
            object(r#"{"message": "hi", "process": "bank"}"#),
            json!({ "message": "hi", "process": "shop" })
        );
        assert_eq!(object("[1]")["message"], "[1]");
    }

    #[test]
    fn the_last_line_is_known_within_bounds() {
        let (tenant, last) = ("shop".parse().unwrap(), Mutex::default());
        let long = "ä".repeat(LAST);
        let said = format!("first\n{long}");
        pass(said.as_bytes(), &tenant, LogFormat::Text, &last);
        assert_eq!(last.lock().len(), LAST);
    }
}
