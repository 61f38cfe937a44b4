//! The first packets of a connection: a greeting, TLS where it is wanted, and the proof of a password.

#[cfg(any(fuzzing, test))]
pub(super) mod fuzzing;

use crate::{
    fault::{Fault, shown},
    settings::Settings,
    tls::Trust,
    wire::{Payload, Wire, put_sized},
};
use aws_lc_rs::digest::{Algorithm, Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256};
use wythe_blocks::Error;
use wythe_net::Secure;

/// Bytes of all that a server may say until somebody is logged in.
const LOGIN: usize = 64 << 10;
/// UTF-8 of four bytes, in the order of bytes.
const CHARSET: u8 = 46;
/// Bytes of the largest packet that is sent.
const PACKET: u32 = 64 << 20;

/// Abilities by their bits.
const WITH_DATABASE: u32 = 1 << 3;
const PROTOCOL_41: u32 = 1 << 9;
const TLS: u32 = 1 << 11;
const TRANSACTIONS: u32 = 1 << 13;
const SECURE_CONNECTION: u32 = 1 << 15;
const MULTI_RESULTS: u32 = 1 << 17;
const PS_MULTI_RESULTS: u32 = 1 << 18;
const PLUGINS: u32 = 1 << 19;
const SIZED_PROOF: u32 = 1 << 21;
const NEEDED: u32 = PROTOCOL_41 | TRANSACTIONS | SECURE_CONNECTION | PLUGINS;

/// The first packet of a server.
struct Greeting {
    abilities: u32,
    plugin: String,
    salt: Vec<u8>,
}

impl Greeting {
    fn read(packet: &[u8]) -> Result<Self, Fault> {
        let mut payload = Payload(packet);
        if payload.byte()? != 10 {
            return Err(Fault::Odd("a greeting of another protocol".to_owned()));
        }
        // The version, which is asked for later, and the number of the connection.
        payload.until_zero();
        payload.bytes(4)?;
        let mut salt = payload.bytes(8)?.to_vec();
        payload.byte()?;
        let low = payload.number(2)?;
        payload.bytes(3)?;
        let high = payload.number(2)?;
        let length = usize::from(payload.byte()?);
        payload.bytes(10)?;
        let more = length.saturating_sub(8).clamp(13, 64).min(payload.0.len());
        salt.extend_from_slice(payload.bytes(more)?);
        // It ends with a zero that is no part of it.
        salt.truncate(20);
        let plugin = String::from_utf8_lossy(payload.until_zero()).into_owned();
        let abilities = (low | high << 16) as u32;
        match abilities & NEEDED == NEEDED {
            true => Ok(Greeting {
                abilities,
                plugin,
                salt,
            }),
            false => Err(Fault::Odd(
                "a server without what is needed of it".to_owned(),
            )),
        }
    }
}

/// Logs in, with TLS where it is wanted.
pub(super) async fn login(
    mut wire: Wire,
    settings: &Settings,
    secure: Option<&Secure>,
) -> Result<Wire, Fault> {
    wire.begin(LOGIN);
    let packet = wire.read().await?;
    if packet.first() == Some(&0xff) {
        return Err(Fault::read(&packet));
    }
    let greeting = Greeting::read(&packet)?;
    let mut abilities = NEEDED | MULTI_RESULTS | PS_MULTI_RESULTS | SIZED_PROOF;
    abilities &= greeting.abilities | NEEDED;
    if settings.database.is_some() {
        // Said before TLS as well: what comes behind it is read by the first word.
        abilities |= WITH_DATABASE;
    }
    let is_secure = secure.is_some() && greeting.abilities & TLS != 0;
    if let Some(secure) = secure.filter(|_| is_secure) {
        abilities |= TLS;
        wire.write(&head(abilities)).await?;
        wire = wire.secure(secure).await.map_err(unproved)?;
    } else if secure.is_some() && settings.trust != Trust::Prefer {
        return Err(Fault::Unsent(Error::unavailable(
            "the database has no TLS; turn it on there, or write `tls=false` if nobody can listen on the way",
        )));
    }
    let mut prover = Prover {
        password: settings.password.as_deref().unwrap_or_default(),
        plugin: greeting.plugin,
        is_secure,
    };
    // Another proof is asked for where the account wants it.
    let proof = prover.prove(&greeting.salt).unwrap_or_default();
    wire.write(&answer(abilities, settings, &proof, &prover.plugin))
        .await?;
    prover.finish(&mut wire).await?;
    Ok(wire)
}

/// The answer to a greeting.
fn answer(abilities: u32, settings: &Settings, proof: &[u8], plugin: &str) -> Vec<u8> {
    let mut answer = head(abilities);
    answer.extend_from_slice(settings.user.as_bytes());
    answer.push(0);
    match abilities & SIZED_PROOF != 0 {
        true => put_sized(proof, &mut answer),
        false => {
            answer.push(proof.len() as u8);
            answer.extend_from_slice(proof);
        }
    }
    if let Some(database) = &settings.database {
        answer.extend_from_slice(database.as_bytes());
        answer.push(0);
    }
    answer.extend_from_slice(plugin.as_bytes());
    answer.push(0);
    answer
}

fn unproved(fault: Fault) -> Fault {
    let text =
        "the database does not prove to be the one that is named; look at `tls` and `pemPath`";
    let cause = format!("TLS: {}", fault.of_read().chain());
    Fault::Unsent(Error::unavailable(text).with_source(cause))
}

fn head(abilities: u32) -> Vec<u8> {
    let mut packet = abilities.to_le_bytes().to_vec();
    packet.extend_from_slice(&PACKET.to_le_bytes());
    packet.push(CHARSET);
    packet.extend_from_slice(&[0; 23]);
    packet
}

/// Proves that somebody has a password, as the server asks for it.
struct Prover<'a> {
    password: &'a str,
    plugin: String,
    is_secure: bool,
}

impl Prover<'_> {
    /// The proof by the plugin; absent where it is not known here.
    fn prove(&self, salt: &[u8]) -> Option<Vec<u8>> {
        let salt = salt.get(..20).unwrap_or(salt);
        match self.plugin.as_str() {
            "mysql_native_password" | "caching_sha2_password" if self.password.is_empty() => {
                Some(Vec::new())
            }
            "mysql_native_password" => Some(native(self.password, salt)),
            "caching_sha2_password" => Some(sha2(self.password, salt)),
            _ => None,
        }
    }

    async fn finish(&mut self, wire: &mut Wire) -> Result<(), Fault> {
        loop {
            let packet = wire.read().await?;
            match packet.split_first() {
                Some((0, _)) => return Ok(()),
                Some((0xff, _)) => return Err(Fault::read(&packet)),
                Some((0xfe, rest)) => {
                    let mut payload = Payload(rest);
                    self.plugin = String::from_utf8_lossy(payload.until_zero()).into_owned();
                    let proof = self.prove(payload.0).ok_or_else(|| self.unknown())?;
                    wire.write(&proof).await?;
                }
                // The server knows the password from before.
                Some((1, [3])) => {}
                Some((1, [4])) => self.answer_plainly(wire).await?,
                _ => return Err(Fault::Odd("no answer to a login".to_owned())),
            }
        }
    }

    /// Tells the password itself, which the server wants once after each of its starts.
    async fn answer_plainly(&self, wire: &mut Wire) -> Result<(), Fault> {
        if !self.is_secure {
            return Err(Fault::Unsent(Error::unavailable(
                "the database wants the password itself, which goes over TLS alone; write `tls=true`, or `tls=skip-verify` on this \
                 machine",
            )));
        }
        let mut password = self.password.as_bytes().to_vec();
        password.push(0);
        wire.write(&password).await
    }

    fn unknown(&self) -> Fault {
        Fault::Unsent(Error::unavailable(format!(
            "the database wants a proof by the plugin `{}`; give the user one by mysql_native_password or caching_sha2_password",
            shown(&self.plugin)
        )))
    }
}

fn digest(algorithm: &'static Algorithm, parts: &[&[u8]]) -> Vec<u8> {
    let mut context = Context::new(algorithm);
    for part in parts {
        context.update(part);
    }
    context.finish().as_ref().to_vec()
}

fn mixed(one: &[u8], other: &[u8]) -> Vec<u8> {
    one.iter()
        .zip(other)
        .map(|(one, other)| one ^ other)
        .collect()
}

fn native(password: &str, salt: &[u8]) -> Vec<u8> {
    let sha1 = |parts: &[&[u8]]| digest(&SHA1_FOR_LEGACY_USE_ONLY, parts);
    let once = sha1(&[password.as_bytes()]);
    mixed(&once, &sha1(&[salt, &sha1(&[&once])]))
}

fn sha2(password: &str, salt: &[u8]) -> Vec<u8> {
    let sha256 = |parts: &[&[u8]]| digest(&SHA256, parts);
    let once = sha256(&[password.as_bytes()]);
    mixed(&once, &sha256(&[&sha256(&[&once]), salt]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The proofs as a server checks them: by the double digest that it keeps.
    #[test]
    fn a_server_finds_the_password_in_a_proof() {
        let salt = [7; 20];
        let sha1 = |parts: &[&[u8]]| digest(&SHA1_FOR_LEGACY_USE_ONLY, parts);
        let stored = sha1(&[&sha1(&[b"secret"])]);
        let once = mixed(&native("secret", &salt), &sha1(&[&salt, &stored]));
        assert_eq!(sha1(&[&once]), stored);
        let sha256 = |parts: &[&[u8]]| digest(&SHA256, parts);
        let stored = sha256(&[&sha256(&[b"secret"])]);
        let once = mixed(&sha2("secret", &salt), &sha256(&[&stored, &salt]));
        assert_eq!(sha256(&[&once]), stored);
    }

    #[test]
    fn a_greeting_that_is_none_is_an_error() {
        for packet in [&b""[..], b"\x09old\0", b"\x0a8.0", b"\x0a8.0\0\0\0\0\0salt"] {
            assert!(Greeting::read(packet).is_err(), "{packet:?}");
        }
    }

    /// A login over a wire at whose other end a test answers.
    async fn logged_in(said: &[&[u8]], is_secure: bool) -> (Result<(), String>, Vec<u8>) {
        let (near, far) = tokio::io::duplex(1 << 16);
        let (mut near, mut far) = (Wire::new(Box::new(near)), Wire::new(Box::new(far)));
        near.begin(LOGIN);
        far.begin(LOGIN);
        let mut prover = Prover {
            password: "secret",
            plugin: "caching_sha2_password".to_owned(),
            is_secure,
        };
        let server = async {
            let mut last = Vec::new();
            for (index, packet) in said.iter().enumerate() {
                far.write(packet).await.unwrap();
                // Each one is answered but the last, and that which says that all is well.
                if index + 1 < said.len() && *packet != b"\x01\x03" {
                    last = far.read().await.unwrap_or_default();
                }
            }
            last
        };
        let (done, last) = tokio::join!(prover.finish(&mut near), async {
            tokio::time::timeout(std::time::Duration::from_secs(5), server)
                .await
                .unwrap_or_default()
        });
        (done.map_err(|fault| fault.of_read().chain()), last)
    }

    #[tokio::test]
    async fn the_password_itself_goes_over_tls_alone() {
        let (done, last) = logged_in(&[b"\x01\x04", b"\0"], true).await;
        assert_eq!((done, last), (Ok(()), b"secret\0".to_vec()));
        let (done, last) = logged_in(&[b"\x01\x04"], false).await;
        assert!(done.unwrap_err().contains("over TLS alone"));
        assert_eq!(last, b"");
        let (done, _) = logged_in(&[b"\x01\x03", b"\0"], false).await;
        assert_eq!(done, Ok(()));
        let (done, _) = logged_in(&[b"\xfemysql_clear_password\0"], true).await;
        assert!(done.unwrap_err().contains("`mysql_clear_password`"));
        let (done, last) = logged_in(&[b"\xfemysql_native_password\0salt", b"\0"], false).await;
        assert_eq!((done, last.len()), (Ok(()), 20));
    }
}
