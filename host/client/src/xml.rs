//! Answers in XML as a tree: names without their prefixes, texts, and no attributes, which no answer needs.

use quick_xml::{Reader, escape, events::Event};

/// Elements in each other, and elements in all.
const DEPTH: usize = 16;
const ELEMENTS: usize = 100_000;

/// An element with its text and those below it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Element {
    name: String,
    text: String,
    below: Vec<Element>,
}

impl Element {
    /// Reads a document; an error is in words for the log, and holds nothing of the text.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "the XML is not UTF-8")?;
        let mut reader = Reader::from_str(text);
        let (mut open, mut count) = (vec![Element::default()], 0_usize);
        loop {
            let event = reader.read_event().map_err(|_| "the XML is broken")?;
            let at = open.len() - 1;
            match event {
                Event::Start(start) => {
                    open.push(Element::named(start.local_name().as_ref()));
                    count += 1;
                }
                Event::Empty(start) => {
                    let element = Element::named(start.local_name().as_ref());
                    open[at].below.push(element);
                    count += 1;
                }
                Event::End(_) => {
                    let element = open.pop().ok_or("the XML is broken")?;
                    let parent = open.last_mut().ok_or("the XML is broken")?;
                    parent.below.push(element);
                }
                Event::Text(text) => open[at].text.push_str(&text),
                Event::CData(text) => open[at].text.push_str(&text),
                Event::GeneralRef(name) => {
                    let known =
                        escape::unescape(&format!("&{};", &*name)).map(|text| text.into_owned());
                    let known = known.map_err(|_| "the XML has an unknown entity")?;
                    open[at].text.push_str(&known);
                }
                Event::Eof => break,
                _ => {}
            }
            if open.len() > DEPTH + 1 || count > ELEMENTS {
                return Err(format!(
                    "the XML has more than {ELEMENTS} elements, or {DEPTH} in each other"
                ));
            }
        }
        let mut document = open.pop().filter(|_| open.is_empty());
        let root = document.as_mut().and_then(|document| document.below.pop());
        root.ok_or_else(|| "the XML ends too early".to_owned())
    }

    fn named(name: &str) -> Self {
        Element {
            name: name.to_owned(),
            ..Element::default()
        }
    }

    /// The elements of a name directly below.
    pub fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Element> {
        self.below.iter().filter(move |one| one.name == name)
    }

    /// The names and the texts of all elements directly below.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        let below = self.below.iter();
        below.map(|one| (one.name.as_str(), one.text.as_str()))
    }

    /// The first element of each name, below the one before.
    pub fn find(&self, path: &[&str]) -> Option<&Element> {
        path.iter().try_fold(self, |element, name| {
            element.below.iter().find(|one| one.name == *name)
        })
    }

    /// The text of the element at the end of a path.
    pub fn text(&self, path: &[&str]) -> Option<&str> {
        self.find(path).map(|element| element.text.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_found_by_their_paths() {
        let text = "<?xml version='1.0'?><a xmlns='x'>\n<b><c>1 &amp; 2 &#x1F600;</c></b><b><c><![CDATA[<3>]]></c></b><n:d/></a>";
        let root = Element::read(text.as_bytes()).unwrap();
        assert_eq!(root.text(&["b", "c"]), Some("1 & 2 \u{1f600}"));
        let all: Vec<_> = root.all("b").filter_map(|b| b.text(&["c"])).collect();
        assert_eq!(all, ["1 & 2 \u{1f600}", "<3>"]);
        let pairs: Vec<_> = root.pairs().map(|(name, _)| name).collect();
        assert_eq!(pairs, ["b", "b", "d"]);
        assert_eq!(root.text(&["d"]), Some(""));
        assert_eq!(root.text(&["b", "e"]), None);
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        let deep = "<a>".repeat(DEPTH + 1);
        let many = format!("<a>{}</a>", "<b/>".repeat(ELEMENTS));
        let entity = "<!DOCTYPE a [<!ENTITY e 'ee'>]><a>&e;</a>";
        for text in [
            "",
            "<a>",
            "<a></b>",
            "text",
            entity,
            deep.as_str(),
            many.as_str(),
        ] {
            assert!(Element::read(text.as_bytes()).is_err(), "{:.40}", text);
        }
        assert!(Element::read(b"<a>\xff</a>").is_err());
    }
}
