//! Component files as bytes: cut, with bits that were turned, and with parts of a wrong size or in a wrong order.

use super::{APP, Row};

const INVALID: &str = "is no valid component";
const NO_WASM: &str = "is no wasm file";

/// Lengths that a real guest is cut to.
const CUTS: [(usize, &str); 10] = [
    (1, NO_WASM),
    (4, NO_WASM),
    (7, NO_WASM),
    (8, "exports none of"),
    (9, INVALID),
    (100, INVALID),
    (1_000, INVALID),
    (10_000, INVALID),
    (50_000, INVALID),
    (100_000, INVALID),
];
/// Bits of a small app that are turned; a number says which.
const TURNS: u64 = 24;

pub fn rows() -> Vec<Row> {
    let guest = std::fs::read(host_tests::guest("hello")).expect("a guest");
    let cut = |(length, problem)| {
        row(
            format!("cut-after-{length}"),
            problem,
            guest[..length].to_vec(),
        )
    };
    let last = guest[..guest.len() - 1].to_vec();
    let turned = (0..TURNS).map(|seed| row(format!("turned-bit-{seed}"), "anything", turned(seed)));
    let mut rows: Vec<_> = CUTS.into_iter().map(cut).chain(turned).collect();
    rows.push(row("cut-before-the-last-byte".to_owned(), INVALID, last));
    rows.extend(
        wrong()
            .into_iter()
            .map(|(name, problem, bytes)| row(name.to_owned(), problem, bytes)),
    );
    rows
}

fn row(name: String, problem: &'static str, bytes: Vec<u8>) -> Row {
    Row {
        name,
        problem,
        bytes,
    }
}

fn small() -> Vec<u8> {
    wat::parse_str(format!("(component {APP})")).expect("good wat")
}

/// A small app with one bit turned, behind the first eight bytes.
fn turned(seed: u64) -> Vec<u8> {
    let mut bytes = small();
    let number = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 16;
    let bits = (bytes.len() as u64 - 8) * 8;
    let bit = usize::try_from(64 + number % bits).expect("a small number");
    bytes[bit / 8] ^= 1 << (bit % 8);
    bytes
}

/// Whole files.
const FILES: &[(&str, &str, &[u8])] = &[
    ("empty", NO_WASM, b""),
    ("larger-than-it-may-be", "is larger than 64 MiB", b""),
    ("script", NO_WASM, b"#!/bin/sh\nreboot\n"),
    ("archive", NO_WASM, b"PK\x03\x04PK\x03\x04PK\x03\x04"),
    (
        "compiled-file",
        "is a compiled file",
        b"\x7fELF\x02\x01\x01\0\0\0\0\0",
    ),
    ("text-of-wat", NO_WASM, b"(component)"),
    ("version-of-tomorrow", INVALID, b"\0asm\x0e\0\x01\0"),
    ("layer-of-tomorrow", NO_WASM, b"\0asm\x0d\0\x02\0"),
    (
        "zeros-behind-the-head",
        INVALID,
        b"\0asm\x0d\0\x01\0\0\0\0\0\0\0\0\0",
    ),
    (
        "ones-behind-the-head",
        INVALID,
        b"\0asm\x0d\0\x01\0\xff\xff\xff\xff\xff\xff\xff\xff",
    ),
];
/// Bytes behind a small app.
const BEHIND: &[(&str, &str, &[u8])] = &[
    ("unknown-section", INVALID, &[0x7f, 1, 0]),
    (
        "section-longer-than-the-file",
        INVALID,
        &[1, 0xff, 0xff, 0xff, 0x7f],
    ),
    (
        "size-of-too-many-bytes",
        INVALID,
        &[1, 0x80, 0x80, 0x80, 0x80, 0x80, 0],
    ),
    (
        "size-of-33-bits",
        INVALID,
        &[1, 0xff, 0xff, 0xff, 0xff, 0x1f],
    ),
    (
        "types-four-billion",
        INVALID,
        &[7, 5, 0xff, 0xff, 0xff, 0xff, 0x0f],
    ),
    (
        "imports-four-billion",
        INVALID,
        &[10, 5, 0xff, 0xff, 0xff, 0xff, 0x0f],
    ),
    ("name-that-is-no-text", INVALID, &[0, 3, 2, 0xff, 0xfe]),
    ("name-longer-than-its-section", INVALID, &[0, 1, 0x7f]),
    ("module-without-a-head", INVALID, &[1, 0]),
    (
        "module-in-itself",
        INVALID,
        &[1, 8, 0, b'a', b's', b'm', 0x0d, 0, 1, 0],
    ),
];

fn wrong() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let after = |more: &[u8]| [&small(), more].concat();
    let files = FILES
        .iter()
        .map(|(name, problem, bytes)| (*name, *problem, bytes.to_vec()));
    let behind = BEHIND
        .iter()
        .map(|(name, problem, bytes)| (*name, *problem, after(bytes)));
    let made = [
        ("two-files-in-one", INVALID, after(&small())),
        (
            "types-deep-in-each-other",
            "ended early",
            after(&section(7, &deep())),
        ),
        ("components-in-each-other", "anything", after(&nested())),
        ("body-of-8-mib", INVALID, after(&body())),
        ("globals-a-million", "exceeds", after(&globals())),
    ];
    files.chain(behind).chain(made).collect()
}

/// Types in types in types.
fn deep() -> Vec<u8> {
    let deep = [0x41, 0x01, 0x01].repeat(30_000);
    [&[1], deep.as_slice(), &[0x41, 0]].concat()
}

/// Components in components in components.
fn nested() -> Vec<u8> {
    let head = b"\0asm\x0d\0\x01\0".to_vec();
    let around = |inner: Vec<u8>, _| [head.clone(), section(4, &inner)].concat();
    section(4, &(0..5_000).fold(head.clone(), around))
}

/// A module with a function that does nothing, and more of it than there may be.
fn body() -> Vec<u8> {
    let nothing = [&[0], [1].repeat(8_000_000).as_slice(), &[0x0b]].concat();
    let bodies = [&[1], leb(nothing.len()).as_slice(), &nothing].concat();
    module(&[
        section(1, &[1, 0x60, 0, 0]),
        section(3, &[1, 0]),
        section(10, &bodies),
    ])
}

/// A module with more globals than an instance has room for.
fn globals() -> Vec<u8> {
    let count = 999_000;
    let globals = [0x7f, 0, 0x41, 0, 0x0b].repeat(count);
    module(&[section(6, &[leb(count), globals].concat())])
}

fn module(sections: &[Vec<u8>]) -> Vec<u8> {
    section(
        1,
        &[b"\0asm\x01\0\0\0".to_vec(), sections.concat()].concat(),
    )
}

fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id], leb(content.len()).as_slice(), content].concat()
}

fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}
