//! (k) Crypto: the block's encryption of streams beside the library's AEAD alone, segment by segment, in one process.

use crate::{
    Scale,
    child::scratch,
    measure,
    project::Project,
    report::{Aim, Row, Section},
};
use anyhow::{Result, anyhow, ensure};
use aws_lc_rs::aead::{
    AES_256_GCM, Aad, Algorithm, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey,
};
use std::{
    hint::black_box,
    time::{Duration, Instant},
};
use wythe_blocks::{
    Call,
    crypto::{Cipher, EncryptOptions, Key},
};

const AIM: Aim = Aim::AtLeast(0.8, "of the library");
/// Bytes of a segment of the scheme.
const SEGMENT: usize = 64 << 10;
const TAG: usize = 16;
/// Bytes that an app pushes at once.
const CHUNK: usize = 1 << 20;
/// Bytes of a round.
const SIZE: usize = 64 << 20;

const CIPHERS: [(&str, Cipher, &Algorithm); 2] = [
    ("AES-256-GCM", Cipher::AesGcm, &AES_256_GCM),
    (
        "ChaCha20-Poly1305",
        Cipher::ChaCha20Poly1305,
        &CHACHA20_POLY1305,
    ),
];

/// MB/s of each round.
#[derive(Default)]
struct Speeds {
    library_seals: Vec<f64>,
    block_seals: Vec<f64>,
    library_opens: Vec<f64>,
    block_opens: Vec<f64>,
    in_place: Vec<f64>,
}

fn resources() -> String {
    let jwks = r#"{"keys":[{"kty":"oct","kid":"bench","k":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}]}"#;
    format!(
        "apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {{ name: keys }}
spec:
  type: crypto.memory
  version: v1
  metadata: [{{ name: jwks, value: '{jwks}' }}]
"
    )
}

pub async fn measure(scale: Scale) -> Result<Section> {
    let directory = scratch()?;
    let wythe = Project::write(directory.path(), "", &resources())?
        .open()
        .await?;
    let caller = wythe.operator("bench")?;
    let key = wythe
        .tenant
        .crypto
        .open_key(&caller, "keys", "bench")
        .await?;
    let plain = vec![b'x'; scale.pick(SIZE, SIZE / 8)];
    let mut section = Section::new(
        "(k) crypto: a stream in chunks of 1 MiB through the block, and the library alone in segments of 64 KiB; one thread",
    );
    for (name, cipher, algorithm) in CIPHERS {
        let library = Library::new(algorithm)?;
        let mut speeds = Speeds::default();
        for _ in 0..scale.pick(7, 1) {
            round(&library, &key, &caller, cipher, &plain, &mut speeds).await?;
        }
        speeds.report(name, &mut section);
    }
    wythe.stop().await;
    Ok(section)
}

async fn round(
    library: &Library,
    key: &Key,
    caller: &Call,
    cipher: Cipher,
    plain: &[u8],
    speeds: &mut Speeds,
) -> Result<()> {
    let speed = |took: Duration| plain.len() as f64 / 1e6 / took.as_secs_f64();
    speeds.library_seals.push(speed(library.seal(plain)?));
    let (message, took) = seal(key, caller, cipher, plain).await?;
    speeds.block_seals.push(speed(took));
    speeds
        .in_place
        .push(speed(library.seal_in_place(plain.len())?));
    speeds.library_opens.push(speed(library.open(plain)?));
    let took = open(key, caller, &message, plain.len()).await?;
    speeds.block_opens.push(speed(took));
    Ok(())
}

/// The message, and how long another one of the same took whose parts are dropped as soon as they are out.
async fn seal(
    key: &Key,
    caller: &Call,
    cipher: Cipher,
    plain: &[u8],
) -> Result<(Vec<u8>, Duration)> {
    let options = EncryptOptions {
        cipher,
        ..EncryptOptions::default()
    };
    let mut message = Vec::new();
    let mut transform = key.encryptor(caller, options.clone()).await?;
    for chunk in plain.chunks(CHUNK) {
        message.append(&mut transform.push(caller, chunk).await?);
    }
    message.append(&mut transform.finish().await?);
    let begin = Instant::now();
    let mut transform = key.encryptor(caller, options).await?;
    for chunk in plain.chunks(CHUNK) {
        black_box(transform.push(caller, chunk).await?);
    }
    black_box(transform.finish().await?);
    Ok((message, begin.elapsed()))
}

async fn open(key: &Key, caller: &Call, message: &[u8], size: usize) -> Result<Duration> {
    let begin = Instant::now();
    let (mut transform, mut opened) = (key.decryptor(), 0);
    for chunk in message.chunks(CHUNK) {
        opened += black_box(transform.push(caller, chunk).await?).len();
    }
    opened += transform.finish().await?.len();
    ensure!(opened == size, "the block opened {opened} bytes");
    Ok(begin.elapsed())
}

/// The cipher without a format: a nonce for each segment, and nothing else. As of the block, what goes in stays as it is
/// and what comes out is new.
struct Library(LessSafeKey);

impl Library {
    fn new(algorithm: &'static Algorithm) -> Result<Self> {
        let key = UnboundKey::new(algorithm, &[7; 32]);
        Ok(Library(LessSafeKey::new(key.map_err(failed)?)))
    }

    fn sealed(&self, number: usize, segment: &[u8]) -> Result<Vec<u8>> {
        let mut sealed = Vec::with_capacity(segment.len() + TAG);
        sealed.extend_from_slice(segment);
        self.0
            .seal_in_place_append_tag(nonce(number), Aad::empty(), &mut sealed)
            .map_err(failed)?;
        Ok(sealed)
    }

    fn seal(&self, plain: &[u8]) -> Result<Duration> {
        let begin = Instant::now();
        for (number, segment) in plain.chunks(SEGMENT).enumerate() {
            black_box(self.sealed(number, segment)?);
        }
        Ok(begin.elapsed())
    }

    /// Seals one segment over and over, which stays in the cache: what the cipher could do without any data to move.
    fn seal_in_place(&self, size: usize) -> Result<Duration> {
        let mut segment = vec![b'x'; SEGMENT];
        let begin = Instant::now();
        for number in 0..size / SEGMENT {
            let sealed = &mut segment[..];
            let tag = self
                .0
                .seal_in_place_separate_tag(nonce(number), Aad::empty(), sealed);
            let _ = black_box(tag.map_err(failed)?);
        }
        Ok(begin.elapsed())
    }

    fn open(&self, plain: &[u8]) -> Result<Duration> {
        let segments = plain.chunks(SEGMENT).enumerate();
        let message = segments.map(|(number, segment)| self.sealed(number, segment));
        let message = message.collect::<Result<Vec<_>>>()?;
        let begin = Instant::now();
        let mut size = 0;
        for (number, segment) in message.iter().enumerate() {
            let mut segment = segment.clone();
            let opened = self
                .0
                .open_in_place(nonce(number), Aad::empty(), &mut segment);
            size += opened.map_err(failed)?.len();
            black_box(&segment);
        }
        ensure!(size == plain.len(), "the library opened {size} bytes");
        Ok(begin.elapsed())
    }
}

fn nonce(number: usize) -> Nonce {
    let mut bytes = [0; 12];
    bytes[..8].copy_from_slice(&(number as u64).to_le_bytes());
    Nonce::assume_unique_for_key(bytes)
}

fn failed(error: aws_lc_rs::error::Unspecified) -> anyhow::Error {
    anyhow!("the library: {error}")
}

impl Speeds {
    fn report(&self, name: &str, section: &mut Section) {
        let in_place = format!("{:.0} MB/s", measure::median(&self.in_place));
        let what = format!("{name} seals, the library alone, one segment in place");
        section.rows.push(Row::new(what, in_place));
        let pairs = [
            ("seals", &self.library_seals, &self.block_seals),
            ("opens", &self.library_opens, &self.block_opens),
        ];
        for (verb, library, block) in pairs {
            let (library, block) = (measure::median(library), measure::median(block));
            let rows = &mut section.rows;
            let text = |speed: f64| format!("{speed:.0} MB/s");
            rows.push(Row::new(
                format!("{name} {verb}, the library alone"),
                text(library),
            ));
            let ratio = block / library;
            let row = Row::new(format!("{name} {verb}, the block"), text(block));
            rows.push(
                row.ratio(format!("{ratio:.2} of the library"))
                    .aim(AIM, ratio),
            );
        }
    }
}
