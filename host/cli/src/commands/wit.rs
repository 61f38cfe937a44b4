//! `wythe wit`: the contract, as files or on standard output.

use crate::{
    args::{Common, Format, Wit},
    embedded,
    report::{self, Outcome},
};
use anyhow::Context;
use std::{fs, path::Path, process::ExitCode};

pub fn wit(common: &Common, args: &Wit) -> Outcome {
    if let Some(directory) = &args.out {
        for (name, text) in embedded::WIT {
            write(&directory.join(name), text)?;
        }
        report::note(&format!(
            "{} files in {}",
            embedded::WIT.len(),
            directory.display()
        ));
        return Ok(ExitCode::SUCCESS);
    }
    if common.output == Format::Json {
        let files = embedded::WIT.iter();
        let files: Vec<_> = files
            .map(|(name, text)| serde_json::json!({ "path": name, "text": text }))
            .collect();
        report::print_json(&serde_json::json!({ "files": files }));
        return Ok(ExitCode::SUCCESS);
    }
    for (name, text) in embedded::WIT {
        report::print(format!("// {name}\n{text}\n"));
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes a file and the directories above it.
pub fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(directory).with_context(|| format!("{}", directory.display()))?;
    fs::write(path, text).with_context(|| format!("{}", path.display()))
}
