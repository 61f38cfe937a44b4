//! A message on its way through the encryption scheme, chunk by chunk.

use super::{
    Cipher, HEADER, Key, MAX_DATA, SEGMENT, TAG, WrapAlgorithm, check_name,
    scheme::{self, Collector, FileKey, Header, Segments, Way, undecryptable},
};
use crate::{Call, Error, Kind, Permit, Result};
use std::mem;

/// The options of an encryption.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EncryptOptions {
    /// The algorithm; absent for the first one that the key prefers and the scheme has.
    pub wrap: Option<WrapAlgorithm>,
    pub cipher: Cipher,
    /// Leaves the key's name out of the message.
    pub omit_key_name: bool,
    /// Stands in the message in place of the key's own name.
    pub decryption_key: Option<String>,
}

/// Bytes that a message under way may hold: a header and a segment.
const HELD: usize = HEADER + SEGMENT + TAG;

/// Bytes in, bytes out. It holds at most a header and a segment, which its app's account has from the first chunk to the
/// end.
pub struct Transform {
    stage: Stage,
    held: Option<Permit>,
}

enum Stage {
    /// The header that the first chunk of output begins with, and what follows it.
    Encrypts(Vec<u8>, Segments),
    AwaitsHeader(Key, Collector),
    Decrypts(Segments),
    Over,
}

impl Transform {
    pub(super) async fn encrypt(caller: &Call, key: &Key, options: EncryptOptions) -> Result<Self> {
        let wrap = key.message_wrap(options.wrap)?;
        let name = options.decryption_key.as_deref().unwrap_or(key.name());
        check_name(name)?;
        let name = (!options.omit_key_name).then_some(name);
        let file_key = FileKey::random(options.cipher)?;
        let wrapped = key.wrap(caller, file_key.reveal(), wrap).await?;
        let header = Header::write(name, wrap, &wrapped, &file_key)?;
        let segments = Segments::new(file_key.payload_key()?, Way::Seal);
        Ok(Stage::Encrypts(header, segments).into())
    }

    pub(super) fn decrypt(key: Key) -> Self {
        Stage::AwaitsHeader(key, Collector::default()).into()
    }

    /// Takes one more chunk and returns what is ready so far; a decryptor returns only what is authentic. After an
    /// error nothing more may come.
    pub async fn push(&mut self, caller: &Call, chunk: &[u8]) -> Result<Vec<u8>> {
        if chunk.len() > MAX_DATA {
            let size = chunk.len();
            return Err(Error::invalid(format!(
                "a chunk of {size} bytes; at most {MAX_DATA} are taken"
            )));
        }
        // What comes in, and what goes out.
        caller.charge(2 * chunk.len())?;
        let held = match (self.held.take(), caller.account()) {
            (None, Some(account)) => Some(account.take(HELD)?),
            (held, _) => held,
        };
        let mut out = Vec::new();
        let stage = mem::replace(&mut self.stage, Stage::Over);
        self.stage = stage.push(caller, chunk, &mut out).await?;
        self.held = held;
        Ok(out)
    }

    /// Returns the rest. That it was the whole message is known when this is ok.
    pub async fn finish(&mut self) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        self.held = None;
        match mem::replace(&mut self.stage, Stage::Over) {
            Stage::Encrypts(header, segments) => {
                out = header;
                segments.finish(&mut out)?;
            }
            Stage::AwaitsHeader(..) => return Err(undecryptable()),
            Stage::Decrypts(segments) => segments.finish(&mut out)?,
            Stage::Over => return Err(over()),
        }
        Ok(out)
    }
}

impl From<Stage> for Transform {
    fn from(stage: Stage) -> Self {
        Transform { stage, held: None }
    }
}

impl Stage {
    async fn push(self, caller: &Call, chunk: &[u8], out: &mut Vec<u8>) -> Result<Self> {
        match self {
            Stage::Encrypts(header, mut segments) => {
                *out = header;
                segments.push(chunk, out)?;
                Ok(Stage::Encrypts(Vec::new(), segments))
            }
            Stage::AwaitsHeader(key, mut collector) => match collector.push(chunk)? {
                None => Ok(Stage::AwaitsHeader(key, collector)),
                Some((header, rest)) => {
                    let mut segments = open(caller, &key, &header).await?;
                    segments.push(rest, out)?;
                    Ok(Stage::Decrypts(segments))
                }
            },
            Stage::Decrypts(mut segments) => {
                segments.push(chunk, out)?;
                Ok(Stage::Decrypts(segments))
            }
            Stage::Over => Err(over()),
        }
    }
}

/// The payload of a message whose header this key made.
async fn open(caller: &Call, key: &Key, header: &Header) -> Result<Segments> {
    let unwrapped = key.unwrap(caller, &header.wrapped, header.wrap);
    let unwrapped = match unwrapped.await {
        Ok(unwrapped) => Some(unwrapped),
        // What the key is for tells nothing of the message.
        Err(error) if !key.unwraps() => return Err(error),
        Err(error) if matches!(error.kind(), Kind::Invalid | Kind::Unsupported) => None,
        Err(error) => return Err(error),
    };
    let file_key = header.file_key(unwrapped)?;
    Ok(Segments::new(file_key.payload_key()?, header.way()))
}

fn over() -> Error {
    Error::invalid("the message is over: nothing may follow `finish` or an error")
}

impl Key {
    /// Says whether it unwraps anything at all.
    fn unwraps(&self) -> bool {
        self.info().unwrap && !self.info().wrap.is_empty()
    }

    /// The algorithm that wraps a message's key.
    fn message_wrap(&self, wanted: Option<WrapAlgorithm>) -> Result<WrapAlgorithm> {
        if let Some(algorithm) = wanted {
            scheme::check_wrap(algorithm)?;
            return Ok(algorithm);
        }
        let mut own = self.info().wrap.iter();
        let found = own.find(|own| scheme::WRAPS.iter().any(|(known, _)| known == *own));
        found.copied().ok_or_else(|| {
            Error::invalid(format!(
                "key `{}` encrypts no messages; one that does has one of {}",
                self.name(),
                scheme::names()
            ))
        })
    }
}
