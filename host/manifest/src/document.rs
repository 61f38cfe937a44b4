//! A YAML or JSON file that is data rather than a resource: each value as it was written.

use std::path::Path;

use crate::problem::Problem;
use crate::reader::Report;
use crate::yaml::{self, Content, Node};

/// A value of such a file.
#[derive(Clone)]
pub enum Document {
    /// An empty value, or `null`.
    Null,
    /// A text, number or boolean; `plain` says that it had no quotes.
    Text {
        /// The text as it was written, without quotes and escapes.
        text: String,
        /// True if it may be a number or a boolean.
        plain: bool,
    },
    /// The items in their order.
    List(Vec<Document>),
    /// The keys in their order, each once.
    Map(Vec<(String, Document)>),
}

/// Reads the one document of a text of at most 1 MiB. JSON is read as the YAML that it is.
pub fn parse_document(text: &str, file: &Path) -> Result<Document, Problem> {
    let report = Report::new(file);
    let mut documents = yaml::parse(text, &report);
    if let Some(first) = report.into_problems().iter().next() {
        return Err(first.clone());
    }
    match documents.len() {
        0 => Ok(Document::Null),
        1 => Ok(convert(documents.remove(0))),
        more => Err(Problem::of_file(
            file,
            format!("expected one document, found {more}"),
        )),
    }
}

/// The tree is not deeper than the parser lets it be.
fn convert(node: Node) -> Document {
    if node.is_null() {
        return Document::Null;
    }
    match node.content {
        Content::Scalar { text, plain } => Document::Text { text, plain },
        Content::List(items) => Document::List(items.into_iter().map(convert).collect()),
        Content::Map(entries) => {
            let entries = entries.into_iter();
            Document::Map(entries.map(|e| (e.key, convert(e.value))).collect())
        }
    }
}
