//! The requests that are refused, and in which words.

use super::{APP, KEYS, done, project, reported, some, stored};
use crate::case;
use anyhow::{Result, ensure};
use host_tests::{MEMORY, Project};
use libtest_mimic::Trial;

const UNDECRYPTABLE: &str = "the message cannot be decrypted with this key";

pub(super) fn trials() -> Vec<Trial> {
    vec![
        case("crypto::a_message_that_was_touched_is_refused", touched),
        case("crypto::a_stream_that_was_touched_is_cut_off", cut_off),
        case("crypto::a_key_of_another_kind_is_named", other_kind),
        case("crypto::a_malformed_key_is_named", malformed),
        case("crypto::an_unknown_key_is_named", unknown),
        case("crypto::a_key_that_is_not_granted_is_denied", not_granted),
        case("crypto::more_than_one_piece_is_refused", too_large),
        case("crypto::bad_components_are_named", components),
    ]
}

/// The error has one text for all, so that no guess learns how near it came.
async fn touched() -> Result<()> {
    let project = project(APP);
    let running = project.start().await?;
    let message = done(&running, "/whole/seal", &some(70_000)).await?;
    let end = message.len();
    let begin = message.len() - 70_000 - 32;
    let mut wrong = vec![
        Vec::new(),
        b"no message".to_vec(),
        message[1..].to_vec(),
        message[..end - 1].to_vec(),
        // The whole second segment, and all of them but one byte.
        message[..begin + (64 << 10) + 16].to_vec(),
        message[..=begin].to_vec(),
        message[..20].to_vec(),
        [&message[..], &[0]].concat(),
        [&message[..], &message[begin..]].concat(),
    ];
    let flip = |at: usize| {
        let mut flipped = message.clone();
        flipped[at] ^= 1;
        flipped
    };
    wrong.extend([0, 5, 30, begin - 10, begin, begin + 40_000, end - 1].map(flip));
    for wrong in &wrong {
        reported(&running, ("/whole/open", wrong), 400, UNDECRYPTABLE).await?;
    }
    ensure!(done(&running, "/whole/open", &message).await? == some(70_000));
    Ok(())
}

/// The bytes before the fault are authentic; what is not authentic never comes.
async fn cut_off() -> Result<()> {
    let project = project(APP);
    let running = project.start().await?;
    let plain = some(1_000_000);
    let mut message = done(&running, "/seal", &plain).await?;
    let at = message.len() - 10;
    message[at] ^= 1;
    let answer = super::post(&running, "/open", &message).await;
    ensure!(
        answer.is_err(),
        "it ends as if it were whole: {:?}",
        answer?.status
    );
    // The host serves on.
    ensure!(done(&running, "/whole/seal", b"x").await?.len() > 100);
    Ok(())
}

async fn other_kind() -> Result<()> {
    let project = project(APP);
    let running = project.start().await?;
    for (path, message) in [
        (
            "/sign?key=receipts",
            "key `receipts` is a symmetric key of 256 bits; `eddsa` needs an Ed25519 key",
        ),
        (
            "/sign?key=ec-256",
            "key `ec-256` is an EC key on P-256; `eddsa` needs an Ed25519 key",
        ),
        (
            "/verify?key=rsa-2048&signature=00",
            "key `rsa-2048` is an RSA key; `eddsa` needs an Ed25519 key",
        ),
        (
            "/sign?key=ed25519-public",
            "key `ed25519-public` is public and only verifies; its private key signs",
        ),
        (
            "/whole/seal?key=ed25519",
            "key `ed25519` encrypts no messages; one that does has one of a256-kw, a128-cbc, a192-cbc, a256-cbc, rsa-oaep-256",
        ),
    ] {
        reported(&running, (path, b"bricks"), 400, message).await?;
    }
    let answer = running.get("/public?key=receipts").await?;
    let message = "key `receipts` is symmetric and has no public half";
    ensure!(
        (answer.status, answer.message().as_str()) == (501, message),
        "{answer:?}"
    );
    Ok(())
}

async fn malformed() -> Result<()> {
    let project = project(APP);
    let pem = String::from_utf8(stored("rsa-2048").to_vec())?;
    for (name, content) in [
        ("bad-pem", pem.replace("-----END", "----END")),
        ("bad-der", pem.replacen("MII", "MIA", 1)),
        ("bad-label", pem.replace("PRIVATE KEY", "CERTIFICATE")),
        ("bad-jwk", "{ \"kty\": \"oct\" ".into()),
        ("no-member", "{ \"kty\": \"oct\" }".into()),
        ("bad-kind", "{ \"kty\": \"quantum\" }".into()),
        ("short", "0123456789".into()),
        ("empty", String::new()),
        ("large", "A".repeat((32 << 10) + 1)),
    ] {
        project.write(&format!("keys/{name}"), content);
    }
    let kinds = "PRIVATE KEY, RSA PRIVATE KEY, EC PRIVATE KEY, PUBLIC KEY or RSA PUBLIC KEY";
    let unknown = "expected PEM, a JWK, or a symmetric key of 16, 24 or 32 bytes, raw or in base64";
    let running = project.start().await?;
    for (name, problem) in [
        ("bad-pem", format!("malformed PEM; expected one block of {kinds}")),
        (
            "bad-der",
            "the RSA PRIVATE KEY in it is not readable; expected RSA, EC on P-256, P-384 or P-521, or Ed25519".into(),
        ),
        ("bad-label", format!("PEM of another label; expected {kinds}")),
        ("bad-jwk", "this is no JWK; expected a JSON object with `kty`".into()),
        ("no-member", "`k` is missing; this kind of key has one".into()),
        (
            "bad-kind",
            "`kty` is of a kind that is not known; expected oct, RSA, EC or OKP".into(),
        ),
        ("short", unknown.into()),
        ("empty", unknown.into()),
        ("large", "the file has more than 32 KiB; expected one key".into()),
    ] {
        let path = format!("/whole/seal?key={name}");
        let message = format!("key `{name}`: {problem}");
        reported(&running, (&path, b"bricks"), 400, &message).await?;
    }
    Ok(())
}

async fn unknown() -> Result<()> {
    let project = project(APP);
    project.write("secret", [1; 32]);
    let running = project.start().await?;
    // A name with a slash is no file of the directory, whatever lies there.
    for name in ["nobody", "../secret", "sub/key", ".hidden", "..", "a%5Cb"] {
        let path = format!("/whole/seal?key={name}");
        let name = name.replace("%5C", "\\");
        let message = format!("no key `{name}` in crypto component `keys`");
        reported(&running, (&path, b"bricks"), 404, &message).await?;
    }
    let long = format!("/whole/seal?key={}", "k".repeat(300));
    for path in [long.as_str(), "/whole/seal?key=", "/whole/seal?key=a%0Ab"] {
        let message = "a key's name has 1 to 256 bytes and no control characters";
        reported(&running, (path, b"bricks"), 400, message).await?;
    }
    Ok(())
}

async fn not_granted() -> Result<()> {
    let apps = APP.replace("[keys]", "[keys/receipts]");
    let project = project(&apps);
    let running = project.start().await?;
    ensure!(done(&running, "/whole/seal", b"bricks").await?.len() > 100);
    let message = "app `sealed` is not granted key `signatures` of crypto component `keys`; add it to `grants: { crypto: [keys/signatures] }` at wythe.yaml:4";
    reported(&running, ("/sign", b"bricks"), 403, message).await?;
    let apps = APP.replace("    grants: { crypto: [keys] }\n", "");
    let problems = Project::new(&apps).with("memory", MEMORY).problems().await;
    ensure!(
        problems
            == [
                "app `sealed` imports `wythe:blocks/crypto@0.1.0`, which is not granted; add `grants: { crypto: [COMPONENT/KEY] }` at wythe.yaml:4"
            ],
        "{problems:?}"
    );
    Ok(())
}

async fn too_large() -> Result<()> {
    const PIECE: usize = 4 << 20;
    let apps = format!("{APP}    limits: {{ requestBody: 16MiB, memory: 256MiB }}\n");
    let project = project(&apps);
    let running = project.start().await?;
    let plain = some(PIECE + 1);
    let message = "the body is longer than 4194304 bytes";
    reported(&running, ("/whole/seal", &plain), 400, message).await?;
    // The message is somewhat longer than what is in it.
    let largest = &plain[..PIECE - 4_096];
    let sealed = done(&running, "/whole/seal", largest).await?;
    ensure!(done(&running, "/whole/open", &sealed).await? == largest);
    let streamed = done(&running, "/seal", &plain).await?;
    ensure!(done(&running, "/open", &streamed).await? == plain);
    Ok(())
}

async fn components() -> Result<()> {
    for (keys, expected) in [
        (
            KEYS.replace("../keys", "../nowhere"),
            "cannot be opened; expected a directory of keys that can be read",
        ),
        (
            KEYS.replace("name: path", "name: paht"),
            "spec.metadata.paht: unknown setting; expected one of `path`; did you mean `path`?",
        ),
        (
            KEYS.replace("local.keys", "memory")
                .replace("name: path, value: ../keys", "name: jwks, value: \"[]\""),
            "`jwks` is no set of keys; expected JSON such as { \"keys\": [ .. ] }, each key with `kty` and `kid`",
        ),
    ] {
        let project = project(APP).with("keys", &keys);
        let problems = project.located_problems().await;
        let reported = problems.iter().any(|problem| problem.contains(expected));
        let are_here = problems
            .iter()
            .all(|problem| problem.starts_with("resources/keys.yaml:"));
        ensure!(reported && are_here, "{expected}: {problems:?}");
    }
    Ok(())
}
