//! Connections of HTTP/2 whose frames break its rules, or flood.

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PROMISE: u8 = 5;
const PING: u8 = 6;
const GOODBYE: u8 = 7;
const WINDOW: u8 = 8;
const CONTINUATION: u8 = 9;

/// Flags of `HEADERS`: the end of the stream, and that of the headers.
const END: u8 = 1;
const END_HEADERS: u8 = 4;

type Row = (&'static str, &'static str, Vec<u8>);

/// A frame: its kind, flags, stream and payload.
type Frame = (u8, u8, u32, &'static [u8]);

/// Frames that are wrong by themselves.
const WRONG: &[(&str, Frame)] = &[
    ("h2-data-of-no-stream", (DATA, 0, 0, b"x")),
    ("h2-data-of-an-idle-stream", (DATA, 0, 1, b"x")),
    ("h2-settings-of-5-bytes", (SETTINGS, 0, 0, &[0; 5])),
    ("h2-settings-of-a-stream", (SETTINGS, 0, 1, &[])),
    (
        "h2-settings-of-a-window-beyond-all",
        (SETTINGS, 0, 0, &[0, 4, 0xff, 0xff, 0xff, 0xff]),
    ),
    (
        "h2-settings-of-a-frame-of-nothing",
        (SETTINGS, 0, 0, &[0, 5, 0, 0, 0, 0]),
    ),
    ("h2-ping-of-7-bytes", (PING, 0, 0, &[0; 7])),
    ("h2-window-by-nothing", (WINDOW, 0, 0, &[0; 4])),
    (
        "h2-window-beyond-all",
        (WINDOW, 0, 0, &[0x7f, 0xff, 0xff, 0xff]),
    ),
    ("h2-reset-of-an-idle-stream", (RESET, 0, 1, &[0; 4])),
    (
        "h2-header-of-no-index",
        (HEADERS, 5, 1, &[0xff, 0xff, 0xff, 0xff, 0x0f]),
    ),
    (
        "h2-header-with-an-endless-number",
        (HEADERS, 5, 1, &[0xff; 64]),
    ),
    (
        "h2-header-longer-than-the-frame",
        (HEADERS, 5, 1, &[0, 0x7f, 0xff, 0x7f, b'x']),
    ),
    (
        "h2-header-with-a-wrong-code",
        (HEADERS, 5, 1, &[0, 0x84, 0xff, 0xff, 0xff, 0xff, 1, b'x']),
    ),
    (
        "h2-table-beyond-all",
        (HEADERS, 5, 1, &[0x3f, 0xff, 0xff, 0xff, 0x0f]),
    ),
];

/// Name, expected end and bytes. A connection that says goodbye names an error; one that has ended says anything.
pub fn rows() -> Vec<Row> {
    let wrong = WRONG.iter().map(|(name, (kind, flags, stream, payload))| {
        (*name, begun(&frame(*kind, *flags, *stream, payload)))
    });
    let wrong = wrong.chain(misplaced());
    let wrong = wrong.map(|(name, bytes)| (name, "goodbye", bytes));
    wrong.chain(continued()).chain(floods()).collect()
}

/// Frames that are wrong where they are.
fn misplaced() -> [(&'static str, Vec<u8>); 9] {
    let get = request("/bank/");
    let first = frame(HEADERS, END_HEADERS, 1, &get);
    let half = frame(HEADERS, 0, 1, &get);
    let text = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";
    let after = |first: &[u8], second: &[u8]| begun(&[first, second].concat());
    [
        (
            "h2-garbage-after-the-preface",
            [PREFACE, &[0xff; 4096]].concat(),
        ),
        ("h2-http-1-after-the-preface", [PREFACE, text].concat()),
        (
            "h2-frame-of-16-mib",
            begun(&[0xff, 0xff, 0xff, DATA, 0, 0, 0, 0, 1]),
        ),
        (
            "h2-headers-of-no-stream",
            begun(&frame(HEADERS, END_HEADERS, 0, &get)),
        ),
        (
            "h2-headers-of-an-even-stream",
            begun(&frame(HEADERS, END_HEADERS, 2, &get)),
        ),
        (
            "h2-continuation-of-nothing",
            begun(&frame(CONTINUATION, END_HEADERS, 1, &get)),
        ),
        (
            "h2-padding-longer-than-the-frame",
            after(&first, &frame(DATA, 8, 1, &[0xff])),
        ),
        (
            "h2-promise-of-a-client",
            after(&first, &frame(PROMISE, END_HEADERS, 1, &[0, 0, 0, 2])),
        ),
        (
            "h2-headers-between-headers",
            after(&half, &frame(HEADERS, 0, 3, &get)),
        ),
    ]
}

/// Headers without an end.
fn continued() -> [Row; 2] {
    let first = frame(HEADERS, 0, 1, &request("/bank/"));
    let empty = frame(CONTINUATION, 0, 1, &[]).repeat(20_000);
    let fields = literal("x-more", &"y".repeat(120)).repeat(100);
    let long = frame(CONTINUATION, 0, 1, &fields).repeat(100);
    let after = |more: Vec<u8>| begun(&[first.clone(), more].concat());
    [
        ("h2-endless-continuation", "goodbye", after(empty)),
        ("h2-endless-headers", "goodbye", after(long)),
    ]
}

/// Frames that are good, and too many.
fn floods() -> [Row; 6] {
    let get = request("/bank/");
    let many = |count: u32, frames: &dyn Fn(u32) -> Vec<u8>| {
        begun(&(0..count).flat_map(frames).collect::<Vec<u8>>())
    };
    let ended = |name, frames: &dyn Fn(u32) -> Vec<u8>| (name, "ended", half(many(5_000, frames)));
    let resets = |number: u32| {
        let stream = 1 + 2 * number;
        let reset = frame(RESET, 0, stream, &[0, 0, 0, 8]);
        [frame(HEADERS, END | END_HEADERS, stream, &get), reset].concat()
    };
    let open = frame(HEADERS, END_HEADERS, 1, &request("/evil/read-body"));
    let empty = frame(DATA, 0, 1, &[]).repeat(20_000);
    let first = |number: u32| frame(PRIORITY, 0, 1 + 2 * number, &[0, 0, 0, 0, 1]);
    [
        ("h2-rapid-resets", "goodbye", many(2_000, &resets)),
        (
            "h2-empty-data",
            "ended",
            half(begun(&[open, empty].concat())),
        ),
        ended("h2-settings-without-end", &|_| frame(SETTINGS, 0, 0, &[])),
        ended("h2-pings-without-end", &|_| frame(PING, 0, 0, &[0; 8])),
        ended("h2-priorities-without-end", &first),
        ended("h2-unknown-frames-without-end", &|_| {
            frame(0xee, 0xff, 1, &[0xee; 16])
        }),
    ]
}

fn begun(frames: &[u8]) -> Vec<u8> {
    [PREFACE, &frame(SETTINGS, 0, 0, &[]), frames].concat()
}

fn half(bytes: Vec<u8>) -> Vec<u8> {
    [super::HALF, &bytes].concat()
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    let mut frame = length.to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// The headers of a request, without indexes.
fn request(path: &str) -> Vec<u8> {
    let fields = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "x"),
    ];
    fields
        .into_iter()
        .flat_map(|(name, value)| literal(name, value))
        .collect()
}

/// A header with a name and a value of less than 127 bytes.
fn literal(name: &str, value: &str) -> Vec<u8> {
    let text = |text: &str| [&[text.len() as u8], text.as_bytes()].concat();
    [vec![0], text(name), text(value)].concat()
}

/// Returns whether frames of the host end with a goodbye that names an error.
pub fn says_goodbye(mut bytes: &[u8]) -> bool {
    while let Some(head) = bytes.get(..9) {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let payload = bytes.get(9..9 + length).unwrap_or_default();
        if head[3] == GOODBYE {
            return payload.get(4..8).is_some_and(|code| code != [0; 4]);
        }
        bytes = bytes.get(9 + length..).unwrap_or_default();
    }
    false
}
