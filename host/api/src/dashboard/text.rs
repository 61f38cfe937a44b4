//! Text of guests on its way to a page: what it can say is cut, and no character of it turns or hides another one. The
//! template escapes what HTML would read.

use maud::{Markup, Render, html};
use wythe_blocks::{
    jobs::shown_time,
    text::{cut, escape, escape_lines, hex, size},
};

/// Bytes of a name on a page.
const NAME: usize = 120;
/// Bytes of a line.
const LINE: usize = 1_000;
/// Bytes of a value.
const VALUE: usize = 4_000;
/// Bytes of a value that is no text.
const BYTES: usize = 64;

/// A name, in a direction of its own.
pub fn name(text: &str) -> Markup {
    html! { bdi { (shown(text, NAME)) } }
}

/// A text of one line.
pub fn line(text: &str) -> Markup {
    html! { bdi { (shown(text, LINE)) } }
}

/// The text on one line, cut, without characters that show nothing or turn what follows.
pub fn shown(text: &str, limit: usize) -> String {
    let begin = cut(text, limit);
    let mut shown = unhide(&escape(begin));
    if begin.len() < text.len() {
        shown.push('…');
    }
    shown
}

/// A value: its text, or its first bytes.
pub fn value(bytes: &[u8]) -> Markup {
    let begin = std::str::from_utf8(bytes).ok().map(|text| cut(text, VALUE));
    let length = bytes.len();
    html! {
        @match begin {
            _ if bytes.is_empty() => span.quiet { "empty" },
            Some(text) => {
                pre tabindex="0" { bdi { (unhide(&escape_lines(text))) } }
                @if text.len() < length { p.quiet { "The first " (text.len()) " of " (Size(length as u64)) "." } }
            },
            None => {
                pre tabindex="0" { (hex(&bytes[..length.min(BYTES)])) }
                p.quiet { (Size(length as u64)) " that are no text." }
            },
        }
    }
}

/// Writes out what has no width or is a mark of direction, which the host's own logs let pass.
fn unhide(text: &str) -> String {
    let mut all = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\u{61c}'
            | '\u{ad}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{2029}'
            | '\u{2060}'..='\u{2065}'
            | '\u{206a}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}' => all.extend(c.escape_default()),
            c => all.push(c),
        }
    }
    all
}

/// A number of bytes, as people say it.
pub struct Size(pub u64);

impl Render for Size {
    fn render_to(&self, out: &mut String) {
        size(self.0).render_to(out);
    }
}

/// A number, with a comma after each three digits.
pub struct Count(pub u64);

impl Render for Count {
    fn render_to(&self, out: &mut String) {
        let digits = self.0.to_string();
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                out.push(',');
            }
            out.push(digit);
        }
    }
}

/// A length of time in microseconds.
pub struct Took(pub u64);

impl Render for Took {
    fn render_to(&self, out: &mut String) {
        let micros = self.0;
        let text = match micros {
            0..1_000 => format!("{micros} µs"),
            1_000..1_000_000 => format!("{:.1} ms", micros as f64 / 1e3),
            1_000_000..60_000_000 => format!("{:.1} s", micros as f64 / 1e6),
            60_000_000..7_200_000_000 => format!("{} min", micros / 60_000_000),
            7_200_000_000..172_800_000_000 => format!("{} h", micros / 3_600_000_000),
            _ => format!("{} days", micros / 86_400_000_000),
        };
        text.render_to(out);
    }
}

/// A time in milliseconds since 1970, in UTC.
pub struct Time(pub u64);

impl Render for Time {
    fn render(&self) -> Markup {
        let whole = shown_time(self.0);
        // `2026-01-31T10:11:12.345Z`; a time that no calendar has is its number.
        let short = whole.get(..19).map(|text| text.replace('T', " "));
        html! {
            @match short {
                Some(short) => time datetime=(whole) title=(whole) { (short) },
                None => (whole),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_text_whatever_is_in_it() {
        let cases = [
            ("cart", "<bdi>cart</bdi>"),
            (
                "<script>alert(1)</script>",
                "<bdi>&lt;script&gt;alert(1)&lt;/script&gt;</bdi>",
            ),
            (
                "\"><img src=x onerror=a()>",
                "<bdi>&quot;&gt;&lt;img src=x onerror=a()&gt;</bdi>",
            ),
            ("a\x1b[31mb\nc", "<bdi>a\\u{1b}[31mb\\nc</bdi>"),
            ("a\u{202e}gpj.exe", "<bdi>a\\u{202e}gpj.exe</bdi>"),
            (
                "a\u{200b}\u{2028}\u{feff}b",
                "<bdi>a\\u{200b}\\u{2028}\\u{feff}b</bdi>",
            ),
            ("&amp;", "<bdi>&amp;amp;</bdi>"),
            ("Grüße", "<bdi>Grüße</bdi>"),
        ];
        for (text, expected) in cases {
            assert_eq!(name(text).into_string(), expected, "{text:?}");
        }
    }

    #[test]
    fn what_is_long_is_cut_between_characters() {
        let long = "é".repeat(1 << 19);
        assert!(name(&long).into_string().len() < NAME + 20);
        assert!(line(&long).into_string().len() < LINE + 20);
        let page = value(long.as_bytes()).into_string();
        assert!(page.len() < VALUE + 200, "{}", page.len());
        assert!(
            page.contains("The first 4000 of 1.0 MB."),
            "{}",
            &page[4_000..]
        );
        let odd = format!("a{long}");
        assert!(
            value(odd.as_bytes())
                .into_string()
                .contains("The first 3999 of")
        );
    }

    #[test]
    fn a_value_is_text_or_bytes() {
        assert_eq!(
            value(b"").into_string(),
            "<span class=\"quiet\">empty</span>"
        );
        let text = value(b"{\n \"a\": \"<\"\x07}").into_string();
        assert_eq!(
            text,
            "<pre tabindex=\"0\"><bdi>{\n &quot;a&quot;: &quot;&lt;&quot;\\u{7}}</bdi></pre>"
        );
        let bytes = value(&[0xff; 100]).into_string();
        assert!(bytes.contains(&"ff".repeat(64)) && bytes.contains("100 B that are no text."));
    }

    #[test]
    fn times_and_sizes_are_said_as_people_do() {
        let took = [
            (7, "7 µs"),
            (1_500, "1.5 ms"),
            (2_000_000, "2.0 s"),
            (120_000_000, "2 min"),
            (u64::MAX, "213503982 days"),
        ];
        for (micros, expected) in took {
            assert_eq!(Took(micros).render().into_string(), expected);
        }
        for (count, expected) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(Count(count).render().into_string(), expected);
        }
        assert_eq!(Size(1_500).render().into_string(), "1.5 KB");
        let time = Time(1_700_000_000_000).render().into_string();
        assert!(time.ends_with(">2023-11-14 22:13:20</time>"), "{time}");
        assert!(!Time(u64::MAX).render().into_string().is_empty());
    }
}
