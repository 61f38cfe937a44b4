//! The first words of doc comments: a good one begins with a noun or an active verb.

use crate::REPOSITORY;
use tidy::{File, none, rust};

/// Words that begin no good sentence of a doc comment.
const WORDS: &str = "\
    about above across after again against along also although among and are around as at be because been before \
    behind below beside between beyond but by despite down during else even except for from hence here how however \
    if in inside instead into is like never no nobody none nor not nothing nowhere of off on once only onto or \
    otherwise out over per rather since so still such than that then there therefore though through throughout thus \
    till to too toward under unless unlike until up upon via was were what whatever when whenever where wherever \
    whether which whichever while who whoever whom whose why with within without yet";

#[test]
fn a_doc_comment_begins_with_a_noun_or_a_verb() {
    let files = REPOSITORY.rust().chain(REPOSITORY.ending(".wit"));
    none(
        "say what the thing is or what the function does, in a sentence with a subject or a verb in front",
        files.flat_map(bad_beginnings).collect(),
    );
}

fn bad_beginnings(file: &File) -> Vec<String> {
    let words = rust::docs(&file.text).into_iter();
    let words = words.filter_map(|(line, text)| Some((line, bad_word(text)?)));
    words
        .map(|(line, word)| format!("{}:{line}: `{word}`", file.path))
        .collect()
}

/// The first word of a comment, if it is one of the list. A name in backticks is a noun.
fn bad_word(text: &str) -> Option<&'static str> {
    let text = text.trim_start_matches(|c: char| !c.is_alphanumeric() && c != '`');
    let end = text
        .find(|c: char| !c.is_alphanumeric())
        .unwrap_or(text.len());
    let first = text[..end].to_lowercase();
    WORDS.split_whitespace().find(|word| *word == first)
}

#[test]
fn the_first_word_is_found() {
    let found = [
        "What a key is.",
        "(Of one.)",
        "none",
        "**No** more",
        "Until: then",
    ]
    .map(bad_word);
    let words = ["what", "of", "none", "no", "until"].map(Some);
    assert_eq!(found, words);
    let good = [
        "The key.",
        "Nonesuch is a word.",
        "`with` is a name.",
        "[`until`] is one, too.",
        "",
    ];
    assert_eq!(good.map(bad_word), [None; 5]);
}
