//! Packets of a server, as a target of the fuzzer in `tests/fuzz`: no bytes may panic, nothing is more than a statement admits,
//! and packets that were read are read again as they were.

use crate::{
    connection::{Connection, Receiver},
    fault::Fault,
    login,
    rows::{self, Cell, Column, Row},
    wire::{Payload, Wire, put_size},
};
use futures::FutureExt as _;
use std::io::Cursor;

/// Bytes that a statement admits of rows.
const LIMIT: usize = 4 << 10;
/// Bytes that are read of all packets here.
const ALL: usize = 1 << 20;

/// The bytes of a connection: packets, and what a statement and a login make of them.
pub fn mysql(data: &[u8]) {
    let packets = packets(data);
    for packet in &packets {
        drop(Fault::read(packet).of_read().chain());
        sizes(packet);
    }
    login::fuzzing::login(data);
    again(&packets);
    values(&packets);
    for is_prepared in [false, true] {
        ask(data, is_prepared);
    }
}

fn wire(data: &[u8]) -> Wire {
    let bytes = Cursor::new(data.to_vec());
    Wire::new(Box::new(tokio::io::join(bytes, tokio::io::sink())))
}

/// Waits for nothing: all bytes are there.
pub(super) fn at_once<T>(read: impl Future<Output = T>) -> T {
    read.now_or_never().expect("it waits for nothing")
}

fn packets(data: &[u8]) -> Vec<Vec<u8>> {
    let mut wire = wire(data);
    wire.begin(ALL);
    let next = || at_once(wire.read()).ok();
    let packets: Vec<_> = std::iter::from_fn(next).collect();
    assert!(packets.iter().map(Vec::len).sum::<usize>() <= data.len());
    packets
}

/// Packets that are written are read as they were, with numbers that go on.
fn again(packets: &[Vec<u8>]) {
    let room: usize = packets.iter().map(|packet| packet.len() + 4).sum();
    let (near, far) = tokio::io::duplex(room.max(1));
    let (mut near, mut far) = (Wire::new(Box::new(near)), Wire::new(Box::new(far)));
    far.begin(ALL);
    for packet in packets {
        at_once(near.write(packet)).expect("there is room");
    }
    for packet in packets {
        assert_eq!(at_once(far.read()).expect("it was written"), *packet);
    }
}

/// A number that says its size says it again, in no more bytes.
fn sizes(packet: &[u8]) {
    let mut payload = Payload(packet);
    if let Ok(size) = payload.size()
        && let Ok(size) = usize::try_from(size)
    {
        let mut written = Vec::new();
        put_size(size, &mut written);
        assert!(written.len() <= packet.len() - payload.0.len());
        assert_eq!(
            Payload(&written).size().expect("its own number"),
            size as u64
        );
    }
}

/// The first packets are columns, and the others rows of them.
fn values(packets: &[Vec<u8>]) {
    let columns = packets.iter().map_while(|packet| Column::read(packet).ok());
    let columns: Vec<Column> = columns.collect();
    for packet in &packets[columns.len()..] {
        for read in [rows::binary(packet, &columns), rows::text(packet, &columns)] {
            let Ok(row) = read else {
                continue;
            };
            assert_eq!(row.len(), columns.len());
            assert!(row.iter().map(bytes).sum::<usize>() <= packet.len());
        }
    }
}

fn bytes(cell: &Cell) -> usize {
    match cell {
        Cell::Bytes(bytes) => bytes.len(),
        _ => 0,
    }
}

/// Asks, and takes these bytes for the answer: no row has more bytes than came.
fn ask(data: &[u8], is_prepared: bool) {
    let mut connection = Connection::new(wire(data));
    let mut left = data.len();
    let mut take = |columns: &[Column], row: Row, size: usize| {
        assert_eq!(row.len(), columns.len());
        assert!(row.iter().map(bytes).sum::<usize>() <= size);
        left = left.checked_sub(size).expect("no more than came");
    };
    let mut receiver = Receiver {
        bytes: LIMIT,
        take: &mut take,
    };
    // An error is as good an answer.
    let _ = match is_prepared {
        true => at_once(connection.execute_once("SELECT 1", &[], &mut receiver)),
        false => at_once(connection.query("SELECT 1", &mut receiver)),
    };
}

#[cfg(test)]
#[path = "../../../../tests/fuzz/replay.rs"]
mod replay;

#[test]
fn seeds_are_read() {
    replay::replay(&[("mysql", mysql)]);
}
