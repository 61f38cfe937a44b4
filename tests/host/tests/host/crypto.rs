//! Crypto in a whole host: the sample guest, the command, and what is refused in which words.

mod bad_input;
mod command;

use crate::case;
use anyhow::{Context, Result, ensure};
use conformance::crypto::STORED;
use host_tests::{Answer, MEMORY, Project, Running, guest, sample};
use http::Method;
use libtest_mimic::Trial;

const APP: &str = "\
  - appID: sealed
    guest: sealed.wasm
    ingress: /
    grants: { crypto: [keys] }
";

const KEYS: &str = "\
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: keys }
spec:
  type: crypto.local.keys
  version: v1
  metadata:
    - { name: path, value: ../keys }
";

pub fn trials() -> Vec<Trial> {
    let mut trials = vec![
        case("crypto::what_is_sealed_opens_again", sealed),
        case(
            "crypto::a_message_is_opened_by_its_own_key_alone",
            own_key_alone,
        ),
        case("crypto::what_is_signed_verifies", signed),
        case("crypto::a_plugin_keeps_keys_too", plugged),
        case("crypto::a_changed_key_is_used_at_once", changed),
        case("crypto::work_with_keys_uses_cpu_time", charged),
        case("crypto::the_samples_own_manifest_is_good", manifest),
    ];
    trials.extend(bad_input::trials());
    trials.extend(command::trials());
    trials
}

/// The bytes of a key of the suite.
fn stored(name: &str) -> &'static [u8] {
    let stored = STORED.iter().find(|stored| stored.name == name);
    stored.expect("a key of the suite").file
}

/// A project with the sample's own keys and all of the suite's.
fn project(apps: &str) -> Project {
    let project = Project::new(apps).with("memory", MEMORY).with("keys", KEYS);
    for name in ["receipts", "signatures"] {
        let bytes = std::fs::read(sample("sealed/keys").join(name));
        project.write(&format!("keys/{name}"), bytes.expect("a key"));
    }
    for key in &STORED {
        project.write(&format!("keys/{}", key.name), key.file);
    }
    project
}

async fn post(running: &Running, path: &str, body: &[u8]) -> Result<Answer> {
    let body = body.to_vec();
    running.send(Method::POST, path, &[], body).await
}

/// The answer's bytes, if all went well.
async fn done(running: &Running, path: &str, body: &[u8]) -> Result<Vec<u8>> {
    let answer = post(running, path, body).await?;
    ensure!(answer.status == 200, "{path}: {answer:?}");
    Ok(answer.body.to_vec())
}

async fn reported(
    running: &Running,
    (path, body): (&str, &[u8]),
    status: u16,
    message: &str,
) -> Result<()> {
    let answer = post(running, path, body).await?;
    let (found, text) = (answer.status, answer.message());
    ensure!(
        (found, text.as_str()) == (status, message),
        "{path}: {found} {text}"
    );
    Ok(())
}

fn some(size: usize) -> Vec<u8> {
    (0..size)
        .map(|index| (index * 7 + index / 251) as u8)
        .collect()
}

/// The message in one piece and the message chunk by chunk are one format: what one seals, the other opens.
async fn sealed() -> Result<()> {
    let project = project(APP);
    let running = project.start().await?;
    for size in [0, 1, 65_535, 65_536, 65_537, 1_000_000, 3_000_000] {
        let plain = some(size);
        for seal in ["/seal", "/whole/seal"] {
            let message = done(&running, seal, &plain).await?;
            ensure!(message.starts_with(b"dapr.io/enc/v1\n{"), "no message");
            ensure!(size < 32 || !message.windows(32).any(|part| part == &plain[..32]));
            for open in ["/open", "/whole/open"] {
                let back = done(&running, open, &message).await?;
                ensure!(back == plain, "{size} bytes by {seal} and {open}");
            }
            ensure!(
                done(&running, seal, &plain).await? != message,
                "the same twice"
            );
        }
    }
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}

async fn own_key_alone() -> Result<()> {
    let project = project(APP);
    let running = project.start().await?;
    for key in ["aes-128", "aes-192", "aes-256", "rsa-2048"] {
        let seal = format!("/whole/seal?key={key}");
        let answer = post(&running, &seal, b"bricks").await?;
        if answer.status != 200 {
            continue;
        }
        let open = format!("/whole/open?key={key}");
        ensure!(
            done(&running, &open, &answer.body).await? == b"bricks",
            "{key}"
        );
        let wrong = ("/whole/open", &answer.body[..]);
        let message = "the message cannot be decrypted with this key";
        reported(&running, wrong, 400, message).await?;
    }
    // Anybody may seal with the public half.
    let message = done(&running, "/whole/seal?key=rsa-2048-public", b"bricks").await?;
    let back = done(&running, "/whole/open?key=rsa-2048", &message).await?;
    ensure!(back == b"bricks");
    Ok(())
}

async fn signed() -> Result<()> {
    let project = project(APP);
    signs(&project.start().await?, "signatures").await
}

async fn signs(running: &Running, key: &str) -> Result<()> {
    let path = |verb: &str, more: &str| format!("/{verb}?key={key}{more}");
    let signature = done(running, &path("sign", ""), b"bricks").await?;
    let signature = String::from_utf8(signature)?;
    ensure!(signature.len() == 128, "{signature}");
    let check = path("verify", &format!("&signature={signature}"));
    ensure!(done(running, &check, b"bricks").await? == b"true");
    ensure!(done(running, &check, b"stones").await? == b"false");
    let short = path("verify", "&signature=00");
    ensure!(done(running, &short, b"bricks").await? == b"false");
    let public = running.get(&path("public", "")).await?.json();
    ensure!(
        public["kty"] == "OKP" && public["x"].is_string(),
        "{public}"
    );
    ensure!(public.get("d").is_none(), "the private half: {public}");
    Ok(())
}

/// The same guest over the sample plugin: the format is the block's, the keys are the plugin's.
async fn plugged() -> Result<()> {
    let seed = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
    let plugin = format!(
        "\
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {{ name: keys }}
spec:
  type: crypto.wasm
  version: v1
  metadata:
    - {{ name: path, value: {} }}
    - {{ name: receipts, value: \"aes:{seed}\" }}
    - {{ name: signatures, value: \"ed25519:{seed}\" }}
",
        guest("keyring").display()
    );
    let project = Project::new(APP)
        .with("memory", MEMORY)
        .with("keys", &plugin);
    let running = project.start().await?;
    let plain = some(200_000);
    let message = done(&running, "/seal", &plain).await?;
    ensure!(done(&running, "/open", &message).await? == plain);
    signs(&running, "signatures").await?;
    // The seed is that of test 1 in RFC 8032, section 7.1, and so is the signature of nothing.
    let signature = done(&running, "/sign", b"").await?;
    ensure!(
        signature
            == b"e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
    );
    Ok(())
}

/// A loop over a key that costs next to nothing is done in its CPU time, and one over a key of RSA is not, though all of
/// that work is done on other threads.
async fn charged() -> Result<()> {
    let apps = format!("{APP}    limits: {{ cpuTime: 1s, wallTime: 120s }}\n");
    let project = project(&apps);
    let running = project.start().await?;
    for (key, count) in [("aes-256", 500), ("rsa-2048", 3_000)] {
        let message = done(&running, &format!("/whole/seal?key={key}"), b"bricks").await?;
        let line: String = message.iter().map(|byte| format!("{byte:02x}")).collect();
        let lines = format!("{line}\n").repeat(count);
        let open = format!("/open/lines?key={key}");
        if key == "aes-256" {
            let opened = done(&running, &open, lines.as_bytes()).await?;
            ensure!(opened == "bricks\n".repeat(count).as_bytes(), "{opened:?}");
        } else {
            let used = "`sealed` used its 1s of CPU time; see `limits.cpuTime`";
            reported(&running, (&open, lines.as_bytes()), 504, used).await?;
        }
    }
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}

async fn changed() -> Result<()> {
    let project = project(APP);
    let running = project.start().await?;
    let message = done(&running, "/whole/seal?key=new", b"bricks").await;
    let told_so = message.err().context("there is no such key yet")?;
    ensure!(told_so.to_string().contains("no key `new`"), "{told_so}");
    project.write("keys/new", stored("aes-256"));
    let message = done(&running, "/whole/seal?key=new", b"bricks").await?;
    project.write("keys/new", b"another key, of thirty-two bytes");
    let wrong = ("/whole/open?key=new", &message[..]);
    let text = "the message cannot be decrypted with this key";
    reported(&running, wrong, 400, text).await?;
    project.write("keys/new", stored("aes-256"));
    ensure!(done(&running, wrong.0, &message).await? == b"bricks");
    Ok(())
}

async fn manifest() -> Result<()> {
    let plan = wythe::boot::plan(&sample("sealed"));
    let (plan, problems) = plan.map_err(|problems| anyhow::anyhow!("{problems:?}"))?;
    ensure!(problems.is_empty(), "{problems:?}");
    ensure!(plan.manifest.apps.len() == 1);
    Ok(())
}
