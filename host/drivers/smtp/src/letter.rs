//! One mail: its addresses and its header lines, each checked, and its body.

use lettre::{
    Address, Message,
    message::{
        Body, Mailbox, Mailboxes, MessageBuilder,
        header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue, MIME_VERSION_1_0},
    },
};
use wythe_blocks::{Error, Result, random};

/// Addresses that one mail goes to, copies included: as many as every server has to take (RFC 5321, section 4.5.3.1.8).
const RECIPIENTS: usize = 100;
/// Bytes of one list of addresses; a hundred of the longest have room.
const LIST: usize = 64 << 10;

/// Values of the component, where a request says nothing.
#[derive(Default)]
pub(super) struct Defaults {
    pub from: Option<String>,
    pub to: Option<String>,
    pub cc: Option<String>,
    pub bcc: Option<String>,
    pub subject: Option<String>,
    pub priority: Option<String>,
}

/// The value of a name in a request's metadata.
pub(super) type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Dapr's `priority`: 1 is the highest, 5 the lowest.
fn priority(text: &str) -> Result<(&'static str, &'static str)> {
    Ok(match text {
        "1" => ("1 (Highest)", "high"),
        "2" => ("2 (High)", "high"),
        "3" => ("3 (Normal)", "normal"),
        "4" => ("4 (Low)", "low"),
        "5" => ("5 (Lowest)", "low"),
        other => {
            return Err(Error::invalid(format!(
                "`priority: {}`; expected 1 (highest) to 5 (lowest)",
                other.escape_debug()
            )));
        }
    })
}

impl Defaults {
    /// The mail that a request asks for.
    pub fn write(&self, request: Lookup, body: Vec<u8>) -> Result<Message> {
        let value = |name: &str, default: &Option<String>| {
            let value = request(name).or_else(|| default.clone());
            value.filter(|value| !value.is_empty())
        };
        let required = |name: &str, default| {
            value(name, default).ok_or_else(|| {
                Error::invalid(format!(
                    "no `{name}` in the metadata of the component or of the request"
                ))
            })
        };
        let sender = sender(&required("emailFrom", &self.from)?)?;
        let domain = sender.email.domain();
        let id = format!("<{}@{domain}>", random::name()?);
        let to = addresses("emailTo", &required("emailTo", &self.to)?)?;
        let cc = optional("emailCC", value("emailCC", &self.cc))?;
        let bcc = optional("emailBCC", value("emailBCC", &self.bcc))?;
        let count = to.len() + cc.len() + bcc.len();
        if count > RECIPIENTS {
            return Err(Error::invalid(format!(
                "{count} addresses in `emailTo`, `emailCC` and `emailBCC`; one mail has {RECIPIENTS} at most"
            )));
        }
        let letter = Message::builder().from(sender).date_now();
        let letter = letter.message_id(Some(id));
        let letter = to.into_iter().fold(letter, MessageBuilder::to);
        let letter = cc.into_iter().fold(letter, MessageBuilder::cc);
        let mut letter = bcc.into_iter().fold(letter, MessageBuilder::bcc);
        let subject = required("subject", &self.subject)?;
        letter = letter.subject(one_line("subject", &subject)?);
        if let Some(text) = value("priority", &self.priority) {
            letter = mark(letter, &text)?;
        }
        let kind = content_type(request("contentType"))?;
        // Without it, what follows means nothing (RFC 2045, section 4).
        let letter = letter.header(MIME_VERSION_1_0).header(kind);
        let sealed = letter.body(encoded(body));
        sealed.map_err(|error| Error::invalid("the mail cannot be written").with_source(error))
    }
}

/// Encodes a body, with line breaks as mail has them. A server that took another one for such would find the mail's end
/// in the midst of it, and commands in what follows.
fn encoded(body: Vec<u8>) -> Body {
    let binary = |bytes| {
        let encoded = Body::new_with_encoding(bytes, ContentTransferEncoding::Base64);
        encoded.expect("there is a digit for every byte")
    };
    let plain = |c: char| !c.is_control() || "\r\n\t".contains(c);
    match String::from_utf8(body) {
        Ok(text) if text.chars().all(plain) => {
            let text = text.replace("\r\n", "\n").replace('\r', "\n");
            Body::new(text.replace('\n', "\r\n"))
        }
        Ok(text) => binary(text.into_bytes()),
        Err(error) => binary(error.into_bytes()),
    }
}

fn mark(letter: MessageBuilder, text: &str) -> Result<MessageBuilder> {
    let (priority, importance) = priority(text)?;
    let header = |name, value: &str| {
        let name = HeaderName::new_from_ascii_str(name);
        HeaderValue::new(name, value.to_owned())
    };
    Ok(letter
        .raw_header(header("X-Priority", priority))
        .raw_header(header("Importance", importance)))
}

fn content_type(text: Option<String>) -> Result<ContentType> {
    let text = text.unwrap_or_else(|| "text/plain".into());
    let text = match text.as_str() {
        "text/plain" | "text/html" => format!("{text}; charset=utf-8"),
        _ => one_line("contentType", &text)?,
    };
    ContentType::parse(&text).map_err(|_| {
        Error::invalid(format!(
            "`contentType: {}`; expected a media type such as `text/html`",
            text.escape_debug()
        ))
    })
}

/// A line break would begin another header.
fn one_line(name: &str, text: &str) -> Result<String> {
    match text.contains(char::is_control) {
        true => Err(Error::invalid(format!(
            "`{name}` has a line break or another control character; expected one line"
        ))),
        false => Ok(text.to_owned()),
    }
}

fn sender(list: &str) -> Result<Mailbox> {
    let mut from = addresses("emailFrom", list)?.into_iter();
    match (from.next(), from.next()) {
        (Some(sender), None) => Ok(sender),
        _ => Err(Error::invalid(
            "several addresses in `emailFrom`; expected one",
        )),
    }
}

fn optional(name: &str, list: Option<String>) -> Result<Vec<Mailbox>> {
    list.map_or_else(|| Ok(Vec::new()), |list| addresses(name, &list))
}

/// Dapr separates addresses by `;`; a comma does as well.
fn addresses(name: &str, list: &str) -> Result<Vec<Mailbox>> {
    if list.len() > LIST {
        let size = list.len();
        return Err(Error::invalid(format!(
            "`{name}` has {size} bytes; expected {LIST} at most"
        )));
    }
    let list = one_line(name, list)?.replace(';', ",");
    let wrong = || {
        Error::invalid(format!(
            "`{name}: {list}`; expected addresses such as `ann@example.com; Bob <bob@example.com>`"
        ))
    };
    let mailboxes: Mailboxes = list.parse().map_err(|_| wrong())?;
    let named = mailboxes.into_iter().map(|mailbox| {
        let email = in_ascii(mailbox.email).ok_or_else(wrong)?;
        Ok(Mailbox::new(mailbox.name, email))
    });
    named.collect()
}

/// The address with its domain as name servers know it, for `\u{3002}` is a dot to one reader and a letter to another.
fn in_ascii(address: Address) -> Option<Address> {
    if address.domain().is_ascii() {
        return Some(address);
    }
    let domain = idna::domain_to_ascii_strict(address.domain()).ok()?;
    Address::new(address.user(), domain).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(pairs: &[(&str, &str)]) -> Result<String, String> {
        let defaults = Defaults {
            from: Some("shop@example.com".into()),
            to: Some("ann@example.com".into()),
            subject: Some("An order".into()),
            ..Defaults::default()
        };
        let lookup = |name: &str| {
            let pair = pairs.iter().find(|pair| pair.0 == name);
            pair.map(|pair| pair.1.to_owned())
        };
        let message = defaults.write(&lookup, b"Thank you.".to_vec());
        let message = message.map_err(|error| error.message().to_owned())?;
        Ok(String::from_utf8(message.formatted()).unwrap())
    }

    #[test]
    fn what_a_request_says_wins() {
        let text = write(&[
            ("emailTo", "bob@example.com; Cy <cy@example.com>"),
            ("subject", "Grüße"),
            ("priority", "1"),
            ("contentType", "text/html"),
        ])
        .unwrap();
        for line in [
            "From: shop@example.com\r\n",
            "To: bob@example.com, Cy <cy@example.com>\r\n",
            "X-Priority: 1 (Highest)\r\n",
            "Content-Type: text/html; charset=utf-8\r\n",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
        assert!(text.ends_with("\r\n\r\nThank you."), "{text}");
    }

    /// A reader need not look at the type and the encoding without this header (RFC 2045, section 4).
    #[test]
    fn it_says_that_it_has_a_type() {
        let text = write(&[("contentType", "text/html")]).unwrap();
        assert_eq!(text.matches("MIME-Version: 1.0\r\n").count(), 1, "{text}");
    }

    #[test]
    fn a_blind_copy_is_not_in_the_mail() {
        let text = write(&[("emailBCC", "spy@example.com")]).unwrap();
        assert!(!text.contains("spy@"), "{text}");
        assert!(
            text.contains("Content-Type: text/plain; charset=utf-8\r\n"),
            "{text}"
        );
    }

    #[test]
    fn a_domain_is_in_ascii_and_has_dots_of_ascii() {
        for (address, expected) in [
            ("ann@b\u{fc}cher.example", "ann@xn--bcher-kva.example"),
            ("ann@example\u{3002}com", "ann@example.com"),
            ("ann@example\u{ff0e}com", "ann@example.com"),
            ("ann@example\u{ff61}com", "ann@example.com"),
            ("ann@\u{ff45}xample.com", "ann@example.com"),
            ("Ann <ann@example\u{3002}com>", "Ann <ann@example.com>"),
        ] {
            for (name, header) in [("emailTo", "To"), ("emailCC", "Cc"), ("emailFrom", "From")] {
                let text = write(&[(name, address)]).unwrap();
                let line = format!("{header}: {expected}\r\n");
                assert!(text.contains(&line), "{line} in {text}");
            }
        }
    }

    #[test]
    fn a_domain_that_is_none_is_refused() {
        for address in [
            "ann@\u{3002}com",
            "ann@example\u{3002}\u{3002}com",
            "ann@b\u{fc}cher_\u{2028}.example",
            "ann@xn--\u{fc}.example",
            "ann@\u{200b}.example",
        ] {
            for name in ["emailTo", "emailCC", "emailBCC", "emailFrom"] {
                let error = write(&[(name, address)]).unwrap_err();
                assert!(error.starts_with(&format!("`{name}: ")), "{error}");
            }
        }
    }

    #[test]
    fn its_id_is_of_the_senders_domain() {
        let id = |from| {
            let text = write(&[("emailFrom", from)]).unwrap();
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix("Message-ID: "));
            line.unwrap().to_owned()
        };
        let (one, other) = (
            id("shop@b\u{fc}cher.example"),
            id("shop@b\u{fc}cher.example"),
        );
        assert!(one.ends_with("@xn--bcher-kva.example>"), "{one}");
        assert_ne!(one, other);
    }

    #[test]
    fn one_mail_has_a_hundred_recipients_at_most() {
        let list = |count| vec!["a@b.example"; count].join(",");
        let (forty, sixty) = (list(40), list(60));
        write(&[("emailTo", &sixty), ("emailCC", &forty)]).unwrap();
        let all = [
            ("emailTo", &*sixty),
            ("emailCC", &forty),
            ("emailBCC", "c@d.example"),
        ];
        let expected =
            "101 addresses in `emailTo`, `emailCC` and `emailBCC`; one mail has 100 at most";
        assert_eq!(write(&all).unwrap_err(), expected);
        let long = list(10_000);
        let expected = "`emailTo` has 119999 bytes; expected 65536 at most";
        assert_eq!(write(&[("emailTo", &long)]).unwrap_err(), expected);
    }

    #[test]
    fn line_breaks_of_a_text_are_those_of_mail() {
        let body = encoded(b"a\n.\nb\r.\rc\r\n.\r\nd".to_vec());
        assert_eq!(body.encoding(), ContentTransferEncoding::SevenBit);
        assert_eq!(body.as_ref(), b"a\r\n.\r\nb\r\n.\r\nc\r\n.\r\nd");
        let long = encoded(b"\n".repeat(4 << 20));
        assert_eq!(long.len(), 8 << 20);
    }

    #[test]
    fn what_is_no_text_is_in_digits() {
        for data in [b"a\0\n.\n".as_slice(), b"\xff\n.\n"] {
            let body = encoded(data.to_vec());
            assert_eq!(body.encoding(), ContentTransferEncoding::Base64);
            let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=".contains(byte);
            assert!(body.as_ref().iter().all(is_digit), "{body:?}");
        }
    }

    #[test]
    fn a_line_break_is_refused() {
        let message = |name: &str| {
            format!("`{name}` has a line break or another control character; expected one line")
        };
        for name in [
            "emailFrom",
            "emailTo",
            "emailCC",
            "emailBCC",
            "subject",
            "contentType",
        ] {
            for value in [
                "a@example.com\r\nBcc: b@example.com",
                "a@example.com\nx",
                "a\rb",
                "a\0b",
            ] {
                assert_eq!(write(&[(name, value)]).unwrap_err(), message(name));
            }
        }
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (name, value, expected) in [
            (
                "emailTo",
                "ann",
                "`emailTo: ann`; expected addresses such as `ann@example.com; Bob <bob@example.com>`",
            ),
            (
                "emailFrom",
                "a@b.example, c@d.example",
                "several addresses in `emailFrom`; expected one",
            ),
            (
                "priority",
                "9",
                "`priority: 9`; expected 1 (highest) to 5 (lowest)",
            ),
            (
                "contentType",
                "html",
                "`contentType: html`; expected a media type such as `text/html`",
            ),
        ] {
            assert_eq!(write(&[(name, value)]).unwrap_err(), expected);
        }
    }
}
