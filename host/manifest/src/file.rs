//! Reading a file whole, without ever reading more than is allowed.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::problem::Problem;
use crate::yaml::LARGEST_FILE;

/// The text of a file; one byte more than allowed is read, so that the parser can tell.
pub(crate) fn read(path: &Path) -> Result<String, Problem> {
    let limit = u64::try_from(LARGEST_FILE).unwrap_or(u64::MAX) + 1;
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(limit).read_to_end(&mut bytes))
        .map_err(|error| Problem::of_file(path, format!("cannot be read: {}", reason(&error))))?;
    if bytes.len() > LARGEST_FILE {
        return Err(Problem::of_file(
            path,
            "larger than 1 MiB, which is the most that is read",
        ));
    }
    String::from_utf8(bytes).map_err(|_| Problem::of_file(path, "not UTF-8 text"))
}

/// The operating system's words, as the end of a sentence.
pub(crate) fn reason(error: &std::io::Error) -> String {
    error.kind().to_string()
}
