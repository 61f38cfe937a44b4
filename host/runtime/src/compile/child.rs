//! The compiler as a process of its own: what a stranger's file does to it ends with it.

use super::Work;
use crate::component_file::Allowed;
use std::{
    ffi::OsString,
    path::PathBuf,
    process::{ExitStatus, Stdio},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::{Child, Command},
};
use wythe_blocks::{Error, Result};
use wythe_manifest::{ByteSize, Metered};

/// Bytes of compiled code, and of what the compiler says of a mistake.
const MAX_CODE: u64 = 1 << 30;
const MAX_WORDS: u64 = 4 << 10;
/// Compiling for longer than this is told.
const SLOW: Duration = Duration::from_secs(1);

/// A program that does one [`Work`] for each time it is started: its last two arguments are the work and the bytes of
/// memory it may use. It reads eight bytes of length (big-endian) and the component from its standard input, which
/// stays open while the answer is wanted, writes what it made to its standard output, and ends with 0; with
/// [`Compiler::INVALID`] and a line on standard error where the component is at fault.
#[derive(Clone, Debug)]
pub struct Compiler {
    pub program: PathBuf,
    /// Arguments before the work and the memory.
    pub arguments: Vec<OsString>,
    /// Set beside the variables of this process.
    pub variables: Vec<(OsString, OsString)>,
    /// The memory that the process keeps to by itself; `Compiler::MEMORY` for most.
    pub memory: ByteSize,
    /// The time after which the process is killed; `Compiler::TIME` for most.
    pub time: Duration,
}

impl Compiler {
    pub const MEMORY: ByteSize = ByteSize(2 << 30);
    pub const TIME: Duration = Duration::from_secs(120);
    /// Status of a process whose component is no valid one.
    pub const INVALID: u8 = 65;

    pub(crate) async fn run(
        &self,
        work: Work,
        name: &str,
        bytes: &[u8],
        allowed: &Allowed,
    ) -> Result<Vec<u8>> {
        let shown = format!("`{name}` ({:.1} MB)", bytes.len() as f64 / 1e6);
        let mut child = self.spawn(work).map_err(|error| {
            Error::unavailable(format!(
                "no process for the compiler of {shown}: {error}; raise the limit of processes or memory"
            ))
        })?;
        let talk = converse(&mut child, bytes);
        tokio::pin!(talk);
        let time = allowed.time().unwrap_or(self.time).min(self.time);
        let talked = tokio::time::timeout(time, async {
            if let Ok(talked) = tokio::time::timeout(SLOW, &mut talk).await {
                return talked;
            }
            tracing::info!("compiling {shown} ...");
            talk.await
        });
        match talked.await {
            Ok(Ok(answer)) => self.judge(answer, &shown),
            Ok(Err(error)) => Err(Error::unavailable(format!(
                "the compiler of {shown} cannot be talked to: {error}"
            ))),
            // Dropping the child kills it.
            Err(_) => Err(self.too_slow(&shown, allowed)),
        }
    }

    fn too_slow(&self, shown: &str, allowed: &Allowed) -> Error {
        if let Some(time) = allowed.time().filter(|time| *time < self.time) {
            let what = format!(
                "{shown} did not compile within {time:?}; build a smaller component (in release mode)"
            );
            if let Some(error) = allowed.refuse(Metered::CompileTime, &what) {
                return error;
            }
        }
        Error::exhausted(format!(
            "{shown} did not compile within {:?}; build a smaller component (in release mode), or give its compiler more \
             time by WYTHE_COMPILE_TIME",
            self.time
        ))
    }

    fn spawn(&self, work: Work) -> std::io::Result<Child> {
        let variables = self.variables.iter().map(|(name, value)| (name, value));
        Command::new(&self.program)
            .args(&self.arguments)
            .arg(work.as_str())
            .arg(self.memory.0.to_string())
            .envs(variables)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
    }

    fn judge(&self, answer: Answer, shown: &str) -> Result<Vec<u8>> {
        if answer.code.len() as u64 > MAX_CODE {
            let limit = ByteSize(MAX_CODE);
            return Err(Error::exhausted(format!(
                "the code of {shown} has more than {limit}; build a smaller component"
            )));
        }
        let words = String::from_utf8_lossy(&answer.words);
        match answer.status.code() {
            Some(0) => Ok(answer.code),
            Some(code) if code == i32::from(Self::INVALID) => Err(Error::invalid(words.trim())),
            _ => Err(Error::exhausted(format!(
                "the compiler of {shown} ended early ({}), as it does where {} of memory are too little, or \
                 parts lie too deep in each other; build a smaller component (in release mode), or give its compiler \
                 more by WYTHE_COMPILE_MEMORY",
                answer.status, self.memory
            ))
            .with_source(words.into_owned())),
        }
    }
}

struct Answer {
    status: ExitStatus,
    code: Vec<u8>,
    words: Vec<u8>,
}

async fn converse(child: &mut Child, bytes: &[u8]) -> std::io::Result<Answer> {
    let (input, output, words) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let reported = async {
        let mut input = input?;
        // A process that ended before it had read all says why by its status.
        let _ = input.write_all(&(bytes.len() as u64).to_be_bytes()).await;
        let _ = input.write_all(bytes).await;
        Some(input)
    };
    let (open, code, words) =
        tokio::join!(reported, read(output, MAX_CODE + 1), read(words, MAX_WORDS));
    let status = child.wait().await?;
    drop(open);
    Ok(Answer {
        status,
        code: code?,
        words: words?,
    })
}

async fn read(stream: Option<impl AsyncRead + Unpin>, limit: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(stream) = stream {
        stream.take(limit).read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}
