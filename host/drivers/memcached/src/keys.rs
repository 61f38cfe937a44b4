//! The keys as servers take them, and the server that has one.

use std::borrow::Cow;

/// Bytes of a key that a server takes.
const LONGEST: usize = 250;
/// The beginning of keys that stand for others: a key of an app that has it stands for itself by no means.
const MADE: &str = "wythe:";

/// The key as it is sent: itself, as Dapr has it, where a server takes it, and else a digest of 256 bits. Nothing in it can
/// end a command or begin one.
pub(crate) fn sent(key: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte > b' ' && byte != 0x7f;
    let is_taken =
        (1..=LONGEST).contains(&key.len()) && key.bytes().all(is_plain) && !key.starts_with(MADE);
    match is_taken {
        true => Cow::Borrowed(key),
        false => Cow::Owned(format!("{MADE}{}", blake3::hash(key.as_bytes()).to_hex())),
    }
}

/// The number of the server that has a key as it is sent, of so many: the one that Dapr's client chooses.
pub(crate) fn place(sent: &str, servers: usize) -> usize {
    let servers = u32::try_from(servers).unwrap_or(u32::MAX).max(1);
    (crc32(sent.as_bytes()) % servers) as usize
}

/// The checksum of Ethernet and ZIP, by IEEE 802.3.
fn crc32(bytes: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for byte in bytes {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            let low = sum & 1;
            sum = (sum >> 1) ^ (0xedb8_8320 * low);
        }
    }
    !sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn keys_go_as_they_are_where_a_server_takes_them() {
        for key in ["a", "app||key", "a||\u{e9}", &"k".repeat(LONGEST)] {
            assert_eq!(sent(key), key);
        }
    }

    #[test]
    fn no_key_is_a_command_or_another_key() {
        let long = "k".repeat(LONGEST + 1);
        let made = sent("a b").into_owned();
        let keys = [
            "",
            " ",
            "a b",
            "a\r\nflush_all\r\n",
            "a\n",
            "a\0",
            "a\t",
            "a\u{7f}",
            "wythe:",
            &made,
            &long,
        ];
        let sent: HashSet<_> = keys.iter().map(|key| sent(key)).collect();
        assert_eq!(sent.len(), keys.len());
        for (key, sent) in keys.iter().zip(keys.iter().map(|key| super::sent(key))) {
            assert_eq!(sent.len(), MADE.len() + 64, "{key:?}");
            assert!(sent.bytes().all(|byte| byte.is_ascii_graphic()), "{key:?}");
        }
    }

    #[test]
    fn a_key_has_one_server() {
        // The check value of the polynomial.
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(place("123456789", 1), 0);
        assert_eq!(place("123456789", 3), (0xcbf4_3926_u32 % 3) as usize);
        let mut counts = [0; 3];
        for number in 0..3_000 {
            counts[place(&format!("app||{number}"), 3)] += 1;
        }
        assert!(counts.iter().all(|count| *count > 800), "{counts:?}");
    }
}
