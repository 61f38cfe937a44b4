//! The login by a password: PLAIN, or SCRAM (RFC 5802), in which the broker proves that it knows the password too.

use crate::{
    api::{SaslAuthenticate, SaslHandshake},
    fault,
    link::{Link, Lost},
    settings::{Login, Mechanism},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256, Sha512};
use std::time::Duration;
use wythe_blocks::{Error, Result, random, work::compute};

/// Rounds of the key: fewer than the standard's are weak, and more would hold a processor for long.
const ROUNDS: std::ops::RangeInclusive<u32> = 4_096..=1_000_000;

/// Characters of what a broker says of itself.
const WORDS: usize = 200;

pub(crate) async fn log_in(link: &Link, login: &Login, wait: Duration) -> Result<()> {
    let name = login.mechanism.name();
    let shaken = link.ask(&SaslHandshake(name), wait).await;
    let (code, mechanisms) = shaken.map_err(Lost::error)?;
    if code != 0 {
        return Err(Error::denied(format!(
            "the broker has no login by {name} (`saslMechanism`); it has: {}",
            shown(&mechanisms)
        )));
    }
    let password = login.password.0.reveal();
    match login.mechanism {
        Mechanism::Plain => {
            let proof = format!("\0{}\0{password}", login.user);
            say(link, proof.as_bytes(), wait).await.map(drop)
        }
        Mechanism::Sha256 | Mechanism::Sha512 => scram(link, login, wait).await,
    }
}

/// The broker's words, cut and escaped.
fn shown(mechanisms: &[String]) -> String {
    let known = mechanisms.join(", ");
    known.escape_debug().take(WORDS).collect()
}

async fn say(link: &Link, message: &[u8], wait: Duration) -> Result<Vec<u8>> {
    let answer = link.ask(&SaslAuthenticate(message), wait).await;
    let (code, answer) = answer.map_err(|lost| match lost {
        // Older brokers end the connection of a login that they refuse.
        Lost::Broken => fault::of(58, ""),
        lost => lost.error(),
    })?;
    fault::check(code, "the login").map(|()| answer)
}

async fn scram(link: &Link, login: &Login, wait: Duration) -> Result<()> {
    let nonce = random::name()?;
    let user = login.user.replace('=', "=3D").replace(',', "=2C");
    let first = format!("n={user},r={nonce}");
    let answer = say(link, format!("n,,{first}").as_bytes(), wait).await?;
    let answer = String::from_utf8(answer).map_err(|_| odd())?;
    let challenge = Challenge::read(&answer, &nonce).ok_or_else(odd)?;
    let last = format!("c=biws,r={}", challenge.nonce);
    let text = format!("{first},{answer},{last}");
    let (mechanism, password) = (login.mechanism, login.password.clone());
    let proofs = compute(move || {
        let password = password.0.reveal().as_bytes();
        Ok(match mechanism {
            Mechanism::Sha512 => sha512::proofs(password, &challenge, text.as_bytes()),
            _ => sha256::proofs(password, &challenge, text.as_bytes()),
        })
    });
    let (own, other) = proofs.await?;
    let message = format!("{last},p={}", STANDARD.encode(own));
    let answer = say(link, message.as_bytes(), wait).await?;
    match answer == format!("v={}", STANDARD.encode(other)).as_bytes() {
        true => Ok(()),
        false => Err(Error::denied(
            "the broker does not prove that it knows the password: it is another one than was meant",
        )),
    }
}

fn odd() -> Error {
    Error::unavailable("the broker's answer to the login does not have the shape that it must have")
}

/// The salt and the count with which the broker wants the password to be mixed.
struct Challenge {
    nonce: String,
    salt: Vec<u8>,
    rounds: u32,
}

impl Challenge {
    fn read(text: &str, own: &str) -> Option<Self> {
        let part = |name: &str| text.split(',').find_map(|part| part.strip_prefix(name));
        let nonce = part("r=")?;
        let rounds = part("i=")?.parse().ok();
        Some(Challenge {
            nonce: Some(nonce)
                .filter(|nonce| nonce.len() > own.len() && nonce.starts_with(own))?
                .to_owned(),
            salt: STANDARD.decode(part("s=")?).ok()?,
            rounds: rounds.filter(|rounds| ROUNDS.contains(rounds))?,
        })
    }
}

/// The proofs of both sides, by one hash.
macro_rules! proofs {
    ($name:ident, $hash:ty) => {
        mod $name {
            use super::*;

            fn keyed(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
                let mut mac =
                    Hmac::<$hash>::new_from_slice(key).expect("a key may have any length");
                parts.iter().for_each(|part| mac.update(part));
                mac.finalize().into_bytes().to_vec()
            }

            fn mix(into: &mut [u8], other: &[u8]) {
                into.iter_mut()
                    .zip(other)
                    .for_each(|(byte, other)| *byte ^= other);
            }

            pub(super) fn proofs(
                password: &[u8],
                challenge: &Challenge,
                text: &[u8],
            ) -> (Vec<u8>, Vec<u8>) {
                let mut round = keyed(password, &[&challenge.salt, &[0, 0, 0, 1]]);
                let mut salted = round.clone();
                for _ in 1..challenge.rounds {
                    round = keyed(password, &[&round]);
                    mix(&mut salted, &round);
                }
                let mut proof = keyed(&salted, &[b"Client Key"]);
                let stored = <$hash>::digest(&proof);
                mix(&mut proof, &keyed(&stored, &[text]));
                let other = keyed(&keyed(&salted, &[b"Server Key"]), &[text]);
                (proof, other)
            }
        }
    };
}

proofs!(sha256, Sha256);
proofs!(sha512, Sha512);

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7677.
    #[test]
    fn the_proofs_are_those_of_the_standard() {
        let server = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        let challenge = Challenge::read(server, "rOprNGfwEbeRWgbNEkqO").unwrap();
        let text = format!(
            "n=user,r=rOprNGfwEbeRWgbNEkqO,{server},c=biws,r={}",
            challenge.nonce
        );
        let (own, other) = sha256::proofs(b"pencil", &challenge, text.as_bytes());
        assert_eq!(
            STANDARD.encode(own),
            "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        assert_eq!(
            STANDARD.encode(other),
            "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
        );
    }

    #[test]
    fn words_of_a_broker_are_cut_and_escaped() {
        assert_eq!(
            shown(&["PLAIN".to_owned(), "a\nb".to_owned()]),
            "PLAIN, a\\nb"
        );
        assert_eq!(shown(&vec!["x".to_owned(); 10_000]).len(), WORDS);
    }

    #[test]
    fn a_challenge_that_is_none_is_refused() {
        for text in [
            "r=abc,s=YQ==,i=1",
            "r=abc,s=YQ==,i=4294967296",
            "r=abc,s=!,i=4096",
            "r=xyz,s=YQ==,i=4096",
            "r=ab,s=YQ==,i=4096",
            "s=YQ==,i=4096",
        ] {
            assert!(Challenge::read(text, "ab").is_none(), "{text}");
        }
    }
}
