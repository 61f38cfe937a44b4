//! Sealed cookies: what the host has to know of a browser again, in its hands and readable by nobody.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    hkdf::{HKDF_SHA256, KeyType, Salt},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderValue, header::COOKIE};
use serde::{Serialize, de::DeserializeOwned};
use std::time::Duration;
use wythe_blocks::{Error, Result};

/// Bytes of the value of one cookie: with its name and its attributes browsers keep 4,096.
const PIECE: usize = 3_700;
/// Cookies of one value.
const PIECES: usize = 4;

/// The jar of one component: the names of its cookies begin with the same word.
pub(super) struct Jar {
    name: String,
    key: RandomizedNonceKey,
    is_secure: bool,
}

/// Length of a key of AES-256.
struct Length;

impl KeyType for Length {
    fn len(&self) -> usize {
        32
    }
}

impl Jar {
    /// A jar whose seals are made with a key that is derived from `secret`, for this `login` alone: with another client or
    /// another server of the same secret they are none.
    pub fn new(name: String, login: &str, secret: &[u8], is_secure: bool) -> Result<Self> {
        let broken = |_| Error::internal("no key for cookies can be derived");
        let salt = Salt::new(HKDF_SHA256, b"wythe middleware.http.oauth2");
        let (mut key, info) = ([0; 32], [name.as_bytes(), b" ", login.as_bytes()]);
        let derived = salt.extract(secret);
        let derived = derived.expand(&info, Length).map_err(broken)?;
        derived.fill(&mut key).map_err(broken)?;
        let key = RandomizedNonceKey::new(&AES_256_GCM, &key).map_err(broken)?;
        Ok(Jar {
            name,
            key,
            is_secure,
        })
    }

    /// The cookies of a value for `purpose`, at the paths below `base`, for so long. Those that a longer value had before
    /// end.
    pub fn give<T: Serialize>(
        &self,
        purpose: &str,
        value: &T,
        base: &str,
        life: Duration,
    ) -> Result<Vec<HeaderValue>> {
        let text = self.seal(purpose, value)?;
        let pieces: Vec<&[u8]> = text.as_bytes().chunks(PIECE).collect();
        if pieces.len() > PIECES {
            return Err(Error::unsupported(format!(
                "the token has {} bytes when it is sealed; cookies have room for {}",
                text.len(),
                PIECE * PIECES
            )));
        }
        let count = pieces.len();
        let cookie = |number: usize| {
            let piece = pieces.get(number).copied().unwrap_or_default();
            let piece = String::from_utf8_lossy(piece);
            let value = match number {
                0 => format!("{count}.{piece}"),
                _ => piece.into_owned(),
            };
            let life = if number < count { life } else { Duration::ZERO };
            self.cookie(&self.named(purpose, number), &value, base, life)
        };
        (0..PIECES).map(cookie).collect()
    }

    /// The cookie that ends what was given for `purpose`.
    pub fn end(&self, purpose: &str, base: &str) -> Result<HeaderValue> {
        self.cookie(&self.named(purpose, 0), "", base, Duration::ZERO)
    }

    /// The value that a browser shows for `purpose`; none where there is none, or none of this jar's.
    pub fn shown<T: DeserializeOwned>(&self, purpose: &str, headers: &HeaderMap) -> Option<T> {
        let find = |number| {
            let name = self.named(purpose, number);
            let mut values = cookies(headers)
                .filter_map(|cookie| cookie.strip_prefix(name.as_bytes())?.strip_prefix(b"="));
            str::from_utf8(values.next()?).ok()
        };
        let (count, first) = find(0)?.split_once('.')?;
        let count: usize = count.parse().ok().filter(|count| *count <= PIECES)?;
        let mut text = first.to_owned();
        for number in 1..count {
            text.push_str(find(number)?);
        }
        self.open(purpose, &text)
    }

    /// Takes the jar's cookies out of a request: an app has no use for them.
    pub fn take(&self, headers: &mut HeaderMap) {
        let is_own = |cookie: &[u8]| {
            let rest = cookie.strip_prefix(self.name.as_bytes());
            rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'=' | b'.')))
        };
        if !cookies(headers).any(is_own) {
            return;
        }
        let others = cookies(headers).filter(|cookie| !is_own(cookie));
        let others = others.collect::<Vec<_>>().join(&b"; "[..]);
        headers.remove(COOKIE);
        if let Ok(value) = HeaderValue::from_bytes(&others)
            && !others.is_empty()
        {
            headers.insert(COOKIE, value);
        }
    }

    fn named(&self, purpose: &str, number: usize) -> String {
        match (purpose, number) {
            ("", 0) => self.name.clone(),
            ("", number) => format!("{}.{number}", self.name),
            (purpose, 0) => format!("{}.{purpose}", self.name),
            (purpose, number) => format!("{}.{purpose}.{number}", self.name),
        }
    }

    fn cookie(&self, name: &str, value: &str, base: &str, life: Duration) -> Result<HeaderValue> {
        let path = if base.is_empty() { "/" } else { base };
        let secure = if self.is_secure { "; Secure" } else { "" };
        let seconds = life.as_secs();
        let text = format!(
            "{name}={value}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}"
        );
        let cookie = HeaderValue::try_from(text);
        let mut cookie = cookie.map_err(|_| Error::internal("a cookie that no header can have"))?;
        cookie.set_sensitive(true);
        Ok(cookie)
    }

    fn seal<T: Serialize>(&self, purpose: &str, value: &T) -> Result<String> {
        let broken = || Error::internal("a cookie cannot be sealed");
        let mut bytes = serde_json::to_vec(value).map_err(|_| broken())?;
        let aad = Aad::from(purpose.as_bytes());
        let nonce = self.key.seal_in_place_append_tag(aad, &mut bytes);
        let nonce = nonce.map_err(|_| broken())?;
        let whole = [nonce.as_ref().as_slice(), &bytes].concat();
        Ok(URL_SAFE_NO_PAD.encode(whole))
    }

    fn open<T: DeserializeOwned>(&self, purpose: &str, text: &str) -> Option<T> {
        let whole = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (nonce, sealed) = whole.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut sealed = sealed.to_vec();
        let aad = Aad::from(purpose.as_bytes());
        let plain = self.key.open_in_place(nonce, aad, &mut sealed).ok()?;
        serde_json::from_slice(plain).ok()
    }
}

/// The cookies of a request, each with its name: bytes, since those of others need not be ASCII.
fn cookies(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    let all = headers.get_all(COOKIE).iter();
    all.flat_map(|value| value.as_bytes().split(|byte| *byte == b';'))
        .map(<[u8]>::trim_ascii)
        .filter(|cookie| !cookie.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGIN: &str = "https://login.example/?client_id=a";

    fn jar(secret: &[u8]) -> Jar {
        Jar::new("login".to_owned(), LOGIN, secret, true).expect("a jar")
    }

    /// The header of a browser that keeps these cookies.
    fn preserved(cookies: &[HeaderValue]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for cookie in cookies {
            let text = cookie.to_str().expect("a text");
            if !text.contains("Max-Age=0") {
                let pair = text.split(';').next().expect("a pair");
                headers.append(COOKIE, pair.parse().expect("a header"));
            }
        }
        headers
    }

    #[test]
    fn a_value_comes_back_whole_and_to_nobody_else() {
        let (own, life) = (jar(b"secret"), Duration::from_secs(60));
        for length in [0, 10, 5_000, 9_000] {
            let value = "x".repeat(length);
            let headers = preserved(&own.give("", &value, "/shop", life).expect("cookies"));
            assert_eq!(own.shown::<String>("", &headers), Some(value));
            assert_eq!(own.shown::<String>("flow", &headers), None);
            assert_eq!(jar(b"other").shown::<String>("", &headers), None);
            let login = LOGIN.replace("=a", "=b");
            let staff = Jar::new("login".to_owned(), &login, b"secret", true).expect("a jar");
            assert_eq!(staff.shown::<String>("", &headers), None);
        }
        let first = &own.give("", &1, "/shop", life).expect("cookies")[0];
        let text = first.to_str().expect("a text");
        assert!(
            text.ends_with("; Path=/shop; Max-Age=60; HttpOnly; SameSite=Lax; Secure"),
            "{text}"
        );
        assert!(own.give("", &"x".repeat(20_000), "", life).is_err());
    }

    #[test]
    fn what_was_changed_on_the_way_is_nothing() {
        let own = jar(b"secret");
        for shown in [
            "login=",
            "login=1",
            "login=1.",
            "login=1.AAAA",
            "login=9.AAAA",
            "login=2.AAAA",
            "login=18446744073709551615.AAAA",
            "=",
            ";;",
        ] {
            let mut headers = HeaderMap::new();
            headers.append(COOKIE, shown.parse().expect("a header"));
            assert_eq!(own.shown::<String>("", &headers), None, "{shown}");
        }
    }

    #[test]
    fn an_app_sees_the_other_cookies() {
        let own = jar(b"secret");
        let mut headers = HeaderMap::new();
        headers.append(
            COOKIE,
            "a=1; login=1.x; login.1=y; login.flow=z; loginb=2"
                .parse()
                .expect("a header"),
        );
        own.take(&mut headers);
        assert_eq!(headers[COOKIE], "a=1; loginb=2");
        let mut alone = HeaderMap::new();
        alone.append(COOKIE, "login=1.x".parse().expect("a header"));
        own.take(&mut alone);
        assert!(alone.is_empty());
    }

    #[test]
    fn cookies_of_others_that_are_no_ascii_are_in_nobodys_way() {
        let own = jar(b"secret");
        let cookies = own.give("", &1, "", Duration::from_secs(60));
        let first = &cookies.expect("cookies")[0];
        let pair = first.as_bytes().split(|byte| *byte == b';').next();
        let others = "name=\u{fc}; flag";
        let all = [others.as_bytes(), pair.expect("a pair")].join(&b"; "[..]);
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_bytes(&all).expect("a header"));
        assert_eq!(own.shown::<u8>("", &headers), Some(1));
        own.take(&mut headers);
        assert_eq!(headers[COOKIE].as_bytes(), others.as_bytes());
    }
}
