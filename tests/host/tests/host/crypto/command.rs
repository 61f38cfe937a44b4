//! The command `wythe crypto`, beside a host and without one.

use super::{APP, project};
use crate::{
    case,
    command::check,
    crash::{Process, run},
};
use anyhow::{Result, ensure};
use libtest_mimic::Trial;
use std::{fs, path::Path, process::Output};

pub(super) fn trials() -> Vec<Trial> {
    vec![
        case("crypto::the_command_works_with_keys", alone),
        case("crypto::the_command_works_beside_a_host", beside),
        case("crypto::no_private_key_is_ever_printed", hidden),
    ]
}

fn wythe(directory: &Path, line: &str) -> Result<Output> {
    let mut command = crate::crash::command();
    let command = command.args(line.split(' ')).current_dir(directory);
    Ok(command.output()?)
}

fn printed(directory: &Path, line: &str) -> Result<String> {
    let output = wythe(directory, line)?;
    ensure!(output.status.success(), "`wythe {line}`: {output:?}");
    Ok(String::from_utf8(output.stdout)?)
}

async fn alone() -> Result<()> {
    let project = project(APP);
    transcript(project.path())
}

async fn beside() -> Result<()> {
    let project = project(APP);
    let Process { mut child, .. } = run(&project, &[])?;
    let steps = transcript(project.path());
    child.kill()?;
    child.wait()?;
    steps
}

/// Commands that are refused, with the words after `error: `.
const REFUSED: &[(&str, &str)] = &[
    (
        "sign keys ec-256 es257 --in plain",
        "`es257` is no signature algorithm; expected one of …",
    ),
    (
        "sign keys ec-256 es384 --in plain",
        "key `ec-256` is an EC key on P-256; `es384` needs an EC key on P-384\n",
    ),
    (
        "public keys receipts",
        "key `receipts` is symmetric and has no public half\n",
    ),
    (
        "public keys nobody",
        "no key `nobody` in crypto component `keys`\n",
    ),
    (
        "verify keys ec-256 es256 §§ --in plain",
        "the signature is no base64\n",
    ),
    ("encrypt keys receipts --in gone", "gone cannot be read: …"),
    (
        "decrypt keys aes-256 --in sealed",
        "the message cannot be decrypted with this key\n",
    ),
];

fn transcript(path: &Path) -> Result<()> {
    fs::write(path.join("plain"), super::some(300_000))?;
    for (key, cipher) in [("receipts", "aes-gcm"), ("rsa-2048", "chacha20-poly1305")] {
        opens(path, key, cipher)?;
    }
    for (key, algorithm) in [
        ("ec-256", "es256"),
        ("signatures", "eddsa"),
        ("rsa-2048", "ps512"),
    ] {
        verifies(path, key, algorithm)?;
    }
    for (line, reported) in REFUSED {
        let (line, reported) = (format!("crypto {line}"), format!("error: {reported}"));
        check(path, (&line, 1, "", &reported))?;
    }
    Ok(())
}

/// The message itself says which key opens it.
fn opens(path: &Path, key: &str, cipher: &str) -> Result<()> {
    let seal = format!("crypto encrypt keys {key} --cipher {cipher} --in plain --out sealed");
    check(path, (&seal, 0, "", ""))?;
    let open = "crypto decrypt keys --in sealed --out back";
    check(path, (open, 0, "", ""))?;
    let back = fs::read(path.join("back"))?;
    ensure!(back == super::some(300_000), "{key}");
    Ok(())
}

fn verifies(path: &Path, key: &str, algorithm: &str) -> Result<()> {
    let sign = format!("crypto sign keys {key} {algorithm} --in plain");
    let signed = printed(path, &sign)?;
    let verify = format!("crypto verify keys {key} {algorithm} {}", signed.trim());
    let good = format!("{verify} --in plain");
    check(path, (&good, 0, "the signature is good\n", ""))?;
    let bad = format!("{verify} --in sealed");
    let reported = "error: the signature is not this key's\n";
    check(path, (&bad, 1, "", reported))
}

/// Keys are not shown by the list, not as the public half, not in an error.
async fn hidden() -> Result<()> {
    let project = project(APP);
    let path = project.path();
    // Cut in its middle, so that it is no key.
    let broken = super::stored("rsa-2048");
    project.write("keys/broken", &broken[..broken.len() / 2]);
    let listed = printed(path, "crypto keys keys")?;
    for line in [
        "aes-128  a128-kw a128-cbc\n",
        "ec-256  es256\n",
        "signatures  eddsa\n",
        "broken  key `broken`: malformed PEM; ",
    ] {
        ensure!(listed.contains(line), "{line:?}: {listed}");
    }
    let mut reported = listed + &printed(path, "-o json crypto keys keys")?;
    for key in ["ec-256", "ed25519", "rsa-2048", "receipts", "broken"] {
        let output = wythe(path, &format!("crypto public keys {key} -v"))?;
        reported += &String::from_utf8_lossy(&output.stdout);
        reported += &String::from_utf8_lossy(&output.stderr);
    }
    for key in &conformance::crypto::STORED {
        let jwk: serde_json::Value = serde_json::from_str(key.jwk)?;
        for secret in ["k", "d", "p", "q", "dp", "dq", "qi"] {
            if let Some(secret) = jwk[secret].as_str() {
                ensure!(
                    !reported.contains(&secret[..secret.len().min(20)]),
                    "{}: {reported}",
                    key.name
                );
            }
        }
        let lines = String::from_utf8_lossy(key.file);
        let private = lines
            .contains("PRIVATE")
            .then(|| lines.lines().nth(1))
            .flatten();
        ensure!(
            !private.is_some_and(|line| reported.contains(line)),
            "{reported}"
        );
    }
    Ok(())
}
