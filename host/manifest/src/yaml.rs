//! YAML text as a tree in which every value knows its line and column.
//!
//! The tree is built from parser events rather than by serde, because serde stops at the first mistake and forgets
//! how a scalar was written: `010` must stay `010`.

use std::collections::HashMap;

use serde_saphyr::granit_parser::{self, Event, Parser, ScalarStyle, Span, StrInput, Tag};

use crate::name::shown;
use crate::reader::Report;

/// The largest file that is read.
pub(crate) const LARGEST_FILE: usize = 1 << 20;
const DEEPEST: usize = 64;
/// The most that a file may weigh with its aliases written out: one per value, and one per 16 bytes of text.
const HEAVIEST: usize = 250_000;

/// A value and its place.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) position: Position,
    pub(crate) content: Content,
    weight: usize,
}

/// A line and a column, both counted from 1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Position {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

/// The content of a value.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    /// Its text as written; `plain` says that it had no quotes.
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// One key of a mapping.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) position: Position,
    pub(crate) value: Node,
}

impl Node {
    /// Returns whether nothing was written: `key:`, `key: ~` or `key: null`.
    pub(crate) fn is_null(&self) -> bool {
        match &self.content {
            Content::Scalar { text, plain } => {
                *plain && matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL")
            }
            _ => false,
        }
    }
}

/// The reason to stop reading a file was already reported.
struct Stopped;

/// Every document that could be read; mistakes go to the report.
pub(crate) fn parse(text: &str, report: &Report) -> Vec<Node> {
    if text.len() > LARGEST_FILE {
        report.of_file("larger than 1 MiB, which is the most that is read");
        return Vec::new();
    }
    let options = granit_parser::options! {
        emit_comments: false,
        flow_nesting_limit: DEEPEST,
        block_nesting_limit: DEEPEST,
    };
    let events = Parser::new_from_str_with_options(text, options);
    let mut builder = Builder {
        events,
        report,
        anchors: HashMap::new(),
        path: Vec::new(),
        weight: 0,
    };
    let mut documents = Vec::new();
    while let Ok(Some(document)) = builder.document() {
        documents.push(document);
    }
    documents
}

struct Builder<'a> {
    events: Parser<'a, StrInput<'a>>,
    report: &'a Report,
    anchors: HashMap<usize, Node>,
    path: Vec<Segment>,
    weight: usize,
}

enum Segment {
    Key(String),
    Index(usize),
}

impl<'a> Builder<'a> {
    fn document(&mut self) -> Result<Option<Node>, Stopped> {
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return Ok(None),
                (Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd, _) => {
                    self.anchors.clear()
                }
                (event, span) => return self.node(event, span).map(Some),
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), Stopped> {
        match self.events.next() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => {
                let here = position(*error.marker());
                Err(match error.kind() {
                    granit_parser::ErrorKind::RecursionLimitExceeded => self.too_deep(here),
                    kind => self.stop(here, &format!("not valid YAML: {kind}")),
                })
            }
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span) -> Result<Node, Stopped> {
        let here = position(span.start);
        if self.path.len() > DEEPEST {
            return Err(self.too_deep(here));
        }
        self.check_tag(event.tag(), here);
        let anchor = event.anchor_id().unwrap_or(0);
        let content = match event {
            Event::Alias(id) => return self.alias(id, here),
            Event::SequenceStart(..) => self.list()?,
            Event::MappingStart(..) => self.map()?,
            Event::Scalar(text, style, _, tag) => Content::Scalar {
                plain: style == ScalarStyle::Plain && tag.is_none(),
                text: text.into_owned(),
            },
            _ => return Err(self.stop(here, "not valid YAML: a value is missing")),
        };
        let node = Node {
            position: here,
            weight: weight_of(&content),
            content,
        };
        self.spend(1 + own_weight(&node.content), here)?;
        if anchor != 0 {
            self.spend(node.weight, here)?;
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn alias(&mut self, id: usize, here: Position) -> Result<Node, Stopped> {
        let Some(weight) = self.anchors.get(&id).map(|node| node.weight) else {
            return Err(self.stop(here, "an anchor may not contain its own alias"));
        };
        // Paid before it is copied: a file of a few lines can ask for billions of values.
        self.spend(weight, here)?;
        Ok(Node {
            position: here,
            ..self.anchors[&id].clone()
        })
    }

    fn list(&mut self) -> Result<Content, Stopped> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::SequenceEnd {
                return Ok(Content::List(items));
            }
            self.path.push(Segment::Index(items.len()));
            items.push(self.node(event, span)?);
            self.path.pop();
        }
    }

    fn map(&mut self) -> Result<Content, Stopped> {
        let mut keys = Keys::default();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                return Ok(Content::Map(keys.finish()));
            }
            let key = self.node(event, span)?;
            let Content::Scalar { text, plain } = key.content else {
                self.report.error(
                    key.position,
                    self.key(),
                    "expected a text as the key, found a collection",
                    None,
                );
                let (event, span) = self.next()?;
                self.node(event, span)?;
                continue;
            };
            self.path.push(Segment::Key(shown(&text)));
            let (event, span) = self.next()?;
            let value = self.node(event, span)?;
            if plain && text == "<<" {
                self.merge(&mut keys, value);
            } else if let Err(first) = keys.add(Entry {
                key: text,
                position: key.position,
                value,
            }) {
                let message = format!("this key is written twice, first in line {first}");
                self.report.error(key.position, self.key(), &message, None);
            }
            self.path.pop();
        }
    }

    fn merge(&self, keys: &mut Keys, value: Node) {
        let position = value.position;
        match value.content {
            Content::Map(entries) => keys.merged.extend(entries),
            Content::List(items) => items.into_iter().for_each(|item| self.merge(keys, item)),
            Content::Scalar { .. } => {
                self.report.error(
                    position,
                    self.key(),
                    "expected a mapping to merge, found a text",
                    None,
                );
            }
        }
    }

    fn spend(&mut self, weight: usize, here: Position) -> Result<(), Stopped> {
        self.weight = self.weight.saturating_add(weight);
        if self.weight <= HEAVIEST {
            return Ok(());
        }
        Err(self.stop(here, "too many values once aliases are written out"))
    }

    fn check_tag(&self, tag: Option<&Tag>, here: Position) {
        const CORE: [&str; 7] = ["str", "int", "float", "bool", "null", "map", "seq"];
        if let Some(tag) = tag
            && !tag
                .core_suffix()
                .is_some_and(|suffix| CORE.contains(&suffix))
        {
            let message = format!("the tag `{}` has no meaning here", shown(&tag.original()));
            self.report.error(here, self.key(), &message, None);
        }
    }

    fn stop(&self, here: Position, message: &str) -> Stopped {
        self.report.error(here, self.key(), message, None);
        Stopped
    }

    /// The path of so many keys would not help anybody.
    fn too_deep(&self, here: Position) -> Stopped {
        let message = format!("nested deeper than {DEEPEST} levels");
        self.report.error(here, String::new(), &message, None);
        Stopped
    }

    /// The path of keys is written out only when a mistake needs it.
    fn key(&self) -> String {
        let mut key = String::new();
        for segment in &self.path {
            match segment {
                Segment::Index(index) => key.push_str(&format!("[{index}]")),
                Segment::Key(name) if key.is_empty() => key.push_str(name),
                Segment::Key(name) => key.push_str(&format!(".{name}")),
            }
        }
        key
    }
}

/// The keys of one mapping: those written in it win over those merged into it.
#[derive(Default)]
struct Keys {
    written: Vec<Entry>,
    lines: HashMap<String, u32>,
    merged: Vec<Entry>,
}

impl Keys {
    fn add(&mut self, entry: Entry) -> Result<(), u32> {
        if let Some(first) = self.lines.get(&entry.key) {
            return Err(*first);
        }
        self.lines.insert(entry.key.clone(), entry.position.line);
        self.written.push(entry);
        Ok(())
    }

    fn finish(mut self) -> Vec<Entry> {
        for entry in std::mem::take(&mut self.merged) {
            // Being there already is what it means to be overridden.
            let _overridden = self.add(entry);
        }
        self.written
    }
}

fn position(marker: granit_parser::Marker) -> Position {
    let line = u32::try_from(marker.line()).unwrap_or(u32::MAX);
    let column = u32::try_from(marker.col() + 1).unwrap_or(u32::MAX);
    Position { line, column }
}

fn own_weight(content: &Content) -> usize {
    match content {
        Content::Scalar { text, .. } => text.len() / 16,
        Content::List(_) | Content::Map(_) => 0,
    }
}

fn weight_of(content: &Content) -> usize {
    let inner: usize = match content {
        Content::Scalar { .. } => 0,
        Content::List(items) => items.iter().map(|item| item.weight).sum(),
        Content::Map(entries) => entries
            .iter()
            .map(|entry| entry.value.weight + 1 + entry.key.len() / 16)
            .sum(),
    };
    1 + inner + own_weight(content)
}
