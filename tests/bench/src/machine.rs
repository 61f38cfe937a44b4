//! The machine and its state, so that numbers are read with both in mind.

use std::fs;

pub fn describe() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!(
        "{cores} cores ({}), Linux {}, load average at the start {}\n\
         the load generator and other processes share the cores: ratios mean more than absolute numbers\n",
        field("/proc/cpuinfo", "model name"),
        read("/proc/sys/kernel/osrelease"),
        load_average(),
    )
}

pub fn load_average() -> String {
    let text = read("/proc/loadavg");
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

/// The first value of that name in a file of `name: value` lines.
pub fn field(path: &str, name: &str) -> String {
    let text = read(path);
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let value = line.and_then(|rest| rest.split_once(':'));
    value
        .map_or("unknown", |(_, value)| value.trim())
        .to_owned()
}

fn read(path: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_else(|_| "unknown".to_owned());
    text.trim().to_owned()
}
