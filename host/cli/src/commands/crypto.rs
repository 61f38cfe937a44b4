//! `wythe crypto`: work with keys that stay where they are.

use crate::{
    args::{self, Cipher, Common, CryptoVerb, Format},
    project::{self, Needs, Opened},
    report::{self, Outcome, Problem},
};
use anyhow::Context;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;
use sha2::{Digest, Sha256, Sha384, Sha512};
use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    process::ExitCode,
};
use wythe_api::admin::{
    Answer, Binary, Command,
    crypto::{Action, Crypto, Listed},
};

/// Bytes that go through a command at once.
const MAX_DATA: u64 = 64 << 20;
/// The most bytes of a sealed message of that many bytes: 16 more for each 64 KiB, and its header.
const MAX_SEALED: u64 = MAX_DATA + (1 << 20);

pub async fn crypto(common: &Common, args: &args::Crypto) -> Outcome {
    let opened = Opened::new(common, &args.project)?;
    let (component, action, output) = action(&args.verb)?;
    let app = args.app.clone();
    let command = Command::Crypto(Crypto {
        component,
        app,
        action,
    });
    let json = common.output == Format::Json;
    match (&args.verb, opened.ask(Needs::Components, command).await?) {
        (_, Answer::Keys { keys }) if json => report::print_json(&json!({ "keys": keys })),
        (_, Answer::Keys { keys }) => keys.iter().for_each(|key| report::print_text(line(key))),
        (_, Answer::Text { text }) => report::print(format!("{text}\n")),
        (CryptoVerb::Sign { .. }, Answer::Bytes(Binary(bytes))) => {
            let signature = STANDARD.encode(bytes);
            match json {
                true => report::print_json(&json!({ "signature": signature })),
                false => report::print(format!("{signature}\n")),
            }
        }
        (_, Answer::Bytes(Binary(bytes))) => match output {
            Some(path) => fs::write(&path, bytes)
                .with_context(|| format!("{} cannot be written", path.display()))?,
            None => report::print(bytes),
        },
        (_, Answer::Verified { good }) if json => {
            report::print_json(&json!({ "verified": good }));
            return Ok(ExitCode::from(u8::from(!good)));
        }
        (_, Answer::Verified { good: true }) => report::print("the signature is good\n"),
        (_, Answer::Verified { good: false }) => {
            return Err(Problem::new("the signature is not this key's").into());
        }
        _ => return Err(project::misfit()),
    }
    Ok(ExitCode::SUCCESS)
}

/// The component, what to do with it, and where the bytes go.
fn action(verb: &CryptoVerb) -> Outcome<(String, Action, Option<PathBuf>)> {
    Ok(match verb.clone() {
        CryptoVerb::Keys { component } => (component, Action::Keys, None),
        CryptoVerb::Public { component, key } => (component, Action::Public { key }, None),
        CryptoVerb::Encrypt {
            component,
            key,
            cipher,
            files,
        } => {
            let (data, chacha) = (read(files.source)?, cipher == Cipher::ChaCha20Poly1305);
            let action = Action::Encrypt { key, chacha, data };
            (component, action, files.target)
        }
        CryptoVerb::Decrypt {
            component,
            key,
            files,
        } => {
            let data = read_up_to(MAX_SEALED, files.source)?;
            (component, Action::Decrypt { key, data }, files.target)
        }
        CryptoVerb::Sign {
            component,
            key,
            algorithm,
            input,
        } => (component, sign(key, algorithm, input)?, None),
        CryptoVerb::Verify {
            component,
            key,
            algorithm,
            signature,
            input,
        } => {
            let action = verify(key, algorithm, &signature, input)?;
            (component, action, None)
        }
    })
}

fn sign(key: String, algorithm: String, input: Option<PathBuf>) -> Outcome<Action> {
    Ok(Action::Sign {
        key,
        digest: digest(&algorithm, read(input)?)?,
        algorithm,
    })
}

fn verify(
    key: String,
    algorithm: String,
    signature: &str,
    input: Option<PathBuf>,
) -> Outcome<Action> {
    let signature = STANDARD.decode(signature.trim());
    let signature = signature.map_err(|_| Problem::new("the signature is no base64"))?;
    Ok(Action::Verify {
        key,
        digest: digest(&algorithm, read(input)?)?,
        algorithm,
        signature: Binary(signature),
    })
}

fn read(path: Option<PathBuf>) -> Outcome<Binary> {
    read_up_to(MAX_DATA, path)
}

fn read_up_to(limit: u64, path: Option<PathBuf>) -> Outcome<Binary> {
    let mut bytes = Vec::new();
    let name = path.as_deref().unwrap_or(Path::new("standard input"));
    let read = match &path {
        Some(path) => {
            File::open(path).and_then(|file| file.take(limit + 1).read_to_end(&mut bytes))
        }
        None => io::stdin().lock().take(limit + 1).read_to_end(&mut bytes),
    };
    read.with_context(|| format!("{} cannot be read", name.display()))?;
    if bytes.len() as u64 > limit {
        return Err(Problem::new(format!(
            "{} has more than {limit} bytes, the most that one command takes; larger data goes through an app, chunk by chunk",
            name.display()
        ))
        .into());
    }
    Ok(Binary(bytes))
}

/// The bytes that the algorithm signs of the data.
fn digest(algorithm: &str, data: Binary) -> Outcome<Binary> {
    let parsed = algorithm.parse::<wythe_blocks::crypto::SignatureAlgorithm>()?;
    Ok(Binary(match parsed.digest() {
        Some((_, 32)) => Sha256::digest(&data.0).to_vec(),
        Some((_, 48)) => Sha384::digest(&data.0).to_vec(),
        Some(_) => Sha512::digest(&data.0).to_vec(),
        None => data.0,
    }))
}

fn line(key: &Listed) -> String {
    match &key.problem {
        Some(problem) => format!("{}  {problem}\n", key.name),
        None => {
            let abilities = [key.wrap.as_slice(), key.sign.as_slice()].concat();
            format!("{}  {}\n", key.name, abilities.join(" "))
        }
    }
}
