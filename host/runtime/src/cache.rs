//! Compiled components on disk, found by digest and engine, believed only with a valid code of authentication.
//!
//! Loading machine code that somebody else wrote would be running it, so every file is checked with a keyed BLAKE3
//! of its whole content before it is mapped. The key is random, made once, readable by this user alone; a file that
//! fails the check is compiled again and replaced.

use crate::inspect::{FORMAT, Outline};
use blake3::Hash;
use std::{
    fs, io,
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};
use wasmtime::{Engine, component::Component};
use wythe_blocks::{key_file, random};

pub struct Cache {
    directory: PathBuf,
    key: [u8; 32],
}

impl Cache {
    pub fn open(directory: &Path) -> io::Result<Self> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)?;
        // Another key makes every file here a wrong one, which is compiled again.
        let key = key_file::load_or_renew(&directory.join("key"))?;
        Ok(Cache {
            directory: directory.to_owned(),
            key,
        })
    }

    /// The compiled component, if a good file has it.
    pub fn load(&self, engine: &Engine, digest: &Hash) -> Option<Component> {
        let code = self.path(digest, &compatibility(engine), "cwasm");
        self.read(&code)?;
        // SAFETY: the content was written by `store` of this user, as its keyed tag proves; the directory is
        // private, and `store` replaces files by rename, so the mapped file does not change.
        unsafe { Component::deserialize_file(engine, &code) }.ok()
    }

    /// Keeps what the compiler made for the next start.
    pub fn store(&self, engine: &Engine, digest: &Hash, content: &[u8]) -> io::Result<()> {
        self.write(&self.path(digest, &compatibility(engine), "cwasm"), content)
    }

    /// The imports and exports of a component, if a good file has them.
    pub fn load_outline(&self, digest: &Hash) -> Option<Outline> {
        let content = self.read(&self.path(digest, &FORMAT.to_string(), "outline"))?;
        serde_json::from_slice(&content).ok()
    }

    pub fn store_outline(&self, digest: &Hash, outline: &Outline) -> io::Result<()> {
        let content = serde_json::to_vec(outline).map_err(io::Error::other)?;
        self.write(&self.path(digest, &FORMAT.to_string(), "outline"), &content)
    }

    /// The content of a file whose tag is good.
    fn read(&self, path: &Path) -> Option<Vec<u8>> {
        let content = fs::read(path).ok()?;
        let expected = fs::read(tag_of(path)).ok()?;
        // Hash compares in constant time.
        if self.tag(path, &content) != Hash::from_bytes(expected.try_into().ok()?) {
            tracing::warn!(file = %path.display(), "a file of the cache was changed by somebody; making it again");
            return None;
        }
        Some(content)
    }

    fn write(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        write_new(&tag_of(path), self.tag(path, content).as_bytes())?;
        write_new(path, content)
    }

    fn path(&self, digest: &Hash, made_by: &str, extension: &str) -> PathBuf {
        let name = format!("{}-{made_by}.{extension}", digest.to_hex());
        self.directory.join(name)
    }

    /// The tag of a file, over its name as well, so that one good file cannot stand in for another.
    fn tag(&self, path: &Path, content: &[u8]) -> Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(path.file_name().unwrap_or_default().as_encoded_bytes());
        hasher.update(content);
        hasher.finalize()
    }
}

/// A text that changes with the version and the settings of the engine.
fn compatibility(engine: &Engine) -> String {
    use std::hash::{DefaultHasher, Hash as _, Hasher};
    let mut hasher = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// The path of a file's tag, beside the file.
fn tag_of(path: &Path) -> PathBuf {
    let extension = path.extension().unwrap_or_default();
    match extension.as_encoded_bytes() {
        b"cwasm" => path.with_extension("tag"),
        _ => path.with_extension("outline-tag"),
    }
}

fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension(random::name().map_err(io::Error::other)?);
    let mut options = fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)?;
    file.write_all(content)?;
    drop(file);
    fs::rename(&temporary, path)
}
