//! The header of a message: how it is collected from chunks, read, checked and written.

use super::{Cipher, FileKey, SEGMENT, WRAPS, Way, file_key::PREFIX, number, undecryptable};
use crate::{Error, Result, crypto::WrapAlgorithm};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

/// Bytes of a header, its last line feed included.
pub(crate) const HEADER: usize = SEGMENT;
const SCHEME: &[u8] = b"dapr.io/enc/v1";
const LINES: usize = 3;

/// The second line. The order of its fields is that of the scheme's own writer; `end` comes after them.
#[derive(Serialize, Deserialize)]
struct Manifest {
    #[serde(default, rename = "k", skip_serializing_if = "String::is_empty")]
    key: String,
    #[serde(rename = "kw")]
    wrap: u8,
    #[serde(rename = "wfk")]
    wrapped: String,
    #[serde(rename = "cph")]
    cipher: u8,
    #[serde(rename = "np")]
    prefix: String,
    /// Mark of a last segment; absent in what Dapr wrote.
    #[serde(default, rename = "end", skip_serializing_if = "Option::is_none")]
    end: Option<u8>,
}

/// Value that says that there is a last segment, even if it is empty.
const ENDS: u8 = 1;

/// Puts the chunks of a message together up to the end of its header.
#[derive(Default)]
pub(crate) struct Collector {
    bytes: Vec<u8>,
    /// The end of each line, its line feed included.
    ends: Vec<usize>,
}

impl Collector {
    /// The header once it is whole, with what of the chunk comes after it.
    pub(crate) fn push<'a>(&mut self, chunk: &'a [u8]) -> Result<Option<(Header, &'a [u8])>> {
        for (index, byte) in chunk.iter().enumerate() {
            if self.bytes.len() == HEADER {
                return Err(undecryptable());
            }
            self.bytes.push(*byte);
            if *byte != b'\n' {
                continue;
            }
            self.ends.push(self.bytes.len());
            if self.ends.len() == LINES {
                let bytes = std::mem::take(&mut self.bytes);
                let header = Header::read(bytes, &self.ends).ok_or_else(undecryptable)?;
                return Ok(Some((header, &chunk[index + 1..])));
            }
        }
        Ok(None)
    }
}

/// The contents of a header, not yet believed.
pub(crate) struct Header {
    /// The name of the key that decrypts it, where it has one.
    pub(crate) key: Option<String>,
    pub(crate) wrap: WrapAlgorithm,
    pub(crate) wrapped: Vec<u8>,
    cipher: Cipher,
    prefix: [u8; PREFIX],
    /// Says whether the message has a last segment even where it is empty.
    always_ends: bool,
    /// The lines under the MAC, byte for byte as they came.
    lines: Vec<u8>,
    mac: Vec<u8>,
}

impl Header {
    fn read(mut bytes: Vec<u8>, ends: &[usize]) -> Option<Self> {
        let [first, second, third] = *ends else {
            return None;
        };
        if &bytes[..first - 1] != SCHEME {
            return None;
        }
        let manifest: Manifest = serde_json::from_slice(&bytes[first..second - 1]).ok()?;
        let mac = STANDARD.decode(&bytes[second..third - 1]).ok()?;
        let wrap = WRAPS.iter().find(|(_, number)| *number == manifest.wrap)?.0;
        let cipher = match manifest.cipher {
            1 => Cipher::AesGcm,
            2 => Cipher::ChaCha20Poly1305,
            _ => return None,
        };
        let always_ends = match manifest.end {
            None => false,
            Some(ENDS) => true,
            Some(_) => return None,
        };
        bytes.truncate(second);
        Some(Header {
            key: Some(manifest.key).filter(|key| !key.is_empty()),
            wrap,
            wrapped: STANDARD.decode(manifest.wrapped).ok()?,
            cipher,
            prefix: STANDARD.decode(manifest.prefix).ok()?.try_into().ok()?,
            always_ends,
            lines: bytes,
            mac,
        })
    }

    /// The way in which the segments that follow are opened.
    pub(crate) fn way(&self) -> Way {
        Way::Open {
            always_ends: self.always_ends,
        }
    }

    /// The message's key, if what was unwrapped made this header.
    pub(crate) fn file_key(&self, unwrapped: Option<Vec<u8>>) -> Result<FileKey> {
        let key = FileKey::unwrapped(unwrapped, self.prefix, self.cipher)?;
        key.check_mac(&self.lines, &self.mac)?;
        Ok(key)
    }

    /// The header of a new message.
    pub(crate) fn write(
        key_name: Option<&str>,
        wrap: WrapAlgorithm,
        wrapped: &[u8],
        key: &FileKey,
    ) -> Result<Vec<u8>> {
        let manifest = Manifest {
            key: key_name.unwrap_or_default().to_owned(),
            wrap: number(wrap).ok_or_else(|| Error::internal("a wrap without a number"))?,
            wrapped: STANDARD.encode(wrapped),
            cipher: match key.cipher {
                Cipher::AesGcm => 1,
                Cipher::ChaCha20Poly1305 => 2,
            },
            prefix: STANDARD.encode(key.prefix),
            end: Some(ENDS),
        };
        let mut header = SCHEME.to_vec();
        header.push(b'\n');
        serde_json::to_writer(&mut header, &manifest)
            .map_err(|error| Error::internal("a header could not be written").with_source(error))?;
        header.push(b'\n');
        let mac = key.mac_of(&header)?;
        header.extend_from_slice(STANDARD.encode(mac).as_bytes());
        header.push(b'\n');
        Ok(header)
    }
}
