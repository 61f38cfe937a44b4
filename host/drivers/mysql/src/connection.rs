//! One connection: a question at a time, and its answer within bounds.

use crate::{
    fault::Fault,
    rows::{self, Column, Row, Value},
    session::Promises,
    wire::{Payload, Wire},
};
use std::{collections::HashMap, time::Instant};
use wythe_blocks::{Error, Result};

/// Statements that a connection has ready.
const STATEMENTS: usize = 100;
/// Columns and parameters of a statement.
const COLUMNS: u64 = 4_096;
/// Bytes that tell what a statement is about, beside its rows.
const HEADS: usize = 8 << 20;

/// Orders by their numbers.
const INIT_DATABASE: u8 = 0x02;
const QUERY: u8 = 0x03;
const PREPARE: u8 = 0x16;
const EXECUTE: u8 = 0x17;
const CLOSE: u8 = 0x19;
const RESET: u8 = 0x1f;

/// Set of an answer that another one comes after.
const MORE: u64 = 1 << 3;

/// The answer to a statement: rows, or the number of rows that were changed.
#[derive(Default)]
pub(super) struct Answer {
    pub rows: Vec<Row>,
    pub affected: u64,
}

/// The receiver of an answer: the bytes that it may have, and what becomes of each row as it comes, which had so many bytes.
pub(super) struct Receiver<'a> {
    pub bytes: usize,
    pub take: &'a mut (dyn FnMut(&[Column], Row, usize) + Send),
}

#[derive(Clone, Copy)]
struct Prepared {
    id: u32,
    params: usize,
}

pub(super) struct Connection {
    wire: Wire,
    statements: HashMap<String, Prepared>,
    pub promises: Promises,
    pub made: Instant,
}

impl Connection {
    pub fn new(wire: Wire) -> Self {
        Connection {
            wire,
            statements: HashMap::new(),
            promises: Promises::default(),
            made: Instant::now(),
        }
    }

    /// Returns whether the server has ended the connection while nobody asked anything.
    pub fn is_over(&mut self) -> bool {
        self.wire.is_over()
    }

    /// Runs a statement with values, which the server reads once for each connection; the number of rows that it has changed.
    pub async fn execute(
        &mut self,
        sql: &str,
        values: &[Value<'_>],
        receiver: &mut Receiver<'_>,
    ) -> Result<u64, Fault> {
        if let Some(statement) = self.statements.get(sql) {
            let statement = *statement;
            return self.run(statement, values, receiver).await;
        }
        self.make_room().await?;
        let statement = self.prepare(sql).await?;
        self.statements.insert(sql.to_owned(), statement);
        self.run(statement, values, receiver).await
    }

    /// Runs a statement of an app. What wipes the session after it takes the statement away, too.
    pub async fn execute_once(
        &mut self,
        sql: &str,
        values: &[Value<'_>],
        receiver: &mut Receiver<'_>,
    ) -> Result<u64, Fault> {
        let statement = self.prepare(sql).await?;
        self.run(statement, values, receiver).await
    }

    /// Closes a statement where there is no room for another: before that one is sent, so that no failure is taken for its own.
    async fn make_room(&mut self) -> Result<(), Fault> {
        let first = self.statements.keys().next().cloned();
        let Some(sql) = first.filter(|_| self.statements.len() >= STATEMENTS) else {
            return Ok(());
        };
        match self.statements.remove(&sql) {
            // This has no answer.
            Some(old) => self.ask(CLOSE, &old.id.to_le_bytes(), 0).await,
            None => Ok(()),
        }
    }

    /// Runs a statement without values.
    pub async fn query(&mut self, sql: &str, receiver: &mut Receiver<'_>) -> Result<u64, Fault> {
        self.ask(QUERY, sql.as_bytes(), receiver.bytes).await?;
        self.answer(false, receiver).await
    }

    /// Takes away what was left in the session, but for its schema.
    pub async fn reset(&mut self) -> Result<(), Fault> {
        self.statements.clear();
        self.order(RESET, &[]).await
    }

    /// Goes to a schema.
    pub async fn enter(&mut self, database: &str) -> Result<(), Fault> {
        self.order(INIT_DATABASE, database.as_bytes()).await
    }

    async fn order(&mut self, order: u8, body: &[u8]) -> Result<(), Fault> {
        self.ask(order, body, HEADS).await?;
        let packet = self.wire.read().await?;
        match packet.first() {
            Some(0) => Ok(()),
            Some(0xff) => Err(Fault::read(&packet)),
            _ => Err(Fault::Odd("no answer to an order".to_owned())),
        }
    }

    async fn ask(&mut self, order: u8, body: &[u8], limit: usize) -> Result<(), Fault> {
        let mut packet = Vec::with_capacity(body.len() + 1);
        packet.push(order);
        packet.extend_from_slice(body);
        self.wire.begin(limit.saturating_add(HEADS));
        self.wire.write(&packet).await
    }

    async fn prepare(&mut self, sql: &str) -> Result<Prepared, Fault> {
        self.ask(PREPARE, sql.as_bytes(), 0).await?;
        let packet = self.wire.read().await?;
        if packet.first() == Some(&0xff) {
            return Err(Fault::read(&packet));
        }
        let mut payload = Payload(&packet);
        payload.byte()?;
        let id = payload.number(4)? as u32;
        let (columns, params) = (payload.number(2)?, payload.number(2)?);
        for count in [params, columns] {
            for _ in 0..count {
                self.wire.read().await?;
            }
            if count > 0 {
                self.end().await?;
            }
        }
        Ok(Prepared {
            id,
            params: params as usize,
        })
    }

    async fn run(
        &mut self,
        statement: Prepared,
        values: &[Value<'_>],
        receiver: &mut Receiver<'_>,
    ) -> Result<u64, Fault> {
        if statement.params != values.len() {
            return Err(Fault::Unsent(Error::invalid(format!(
                "the statement has {} parameters; found {}",
                statement.params,
                values.len()
            ))));
        }
        let mut body = statement.id.to_le_bytes().to_vec();
        // No cursor, one run.
        body.extend_from_slice(&[0, 1, 0, 0, 0]);
        rows::put(values, &mut body);
        self.ask(EXECUTE, &body, receiver.bytes).await?;
        self.answer(true, receiver).await
    }

    /// Reads all answers to a statement; the rows are those of the first that has any.
    async fn answer(&mut self, is_binary: bool, receiver: &mut Receiver<'_>) -> Result<u64, Fault> {
        let (mut affected, mut is_first) = (0, true);
        loop {
            let packet = self.wire.read().await?;
            let mut payload = Payload(&packet);
            let status = match packet.first() {
                Some(0) => {
                    payload.byte()?;
                    affected = payload.size()?;
                    payload.size()?;
                    payload.number(2)?
                }
                Some(0xff) => return Err(Fault::read(&packet)),
                Some(0xfb) => {
                    return Err(Fault::Odd(
                        "the server asks for a file of the host".to_owned(),
                    ));
                }
                _ => {
                    let count = payload.size()?;
                    let wanted = is_first.then_some(&mut *receiver);
                    is_first = false;
                    self.table(count, is_binary, wanted).await?
                }
            };
            if status & MORE == 0 {
                return Ok(affected);
            }
        }
    }

    /// Reads columns and rows; returns the status behind them.
    async fn table(
        &mut self,
        count: u64,
        is_binary: bool,
        mut receiver: Option<&mut Receiver<'_>>,
    ) -> Result<u64, Fault> {
        if !(1..=COLUMNS).contains(&count) {
            return Err(Fault::Odd(format!("{count} columns")));
        }
        let mut columns = Vec::new();
        for _ in 0..count {
            columns.push(Column::read(&self.wire.read().await?)?);
        }
        self.end().await?;
        loop {
            let packet = self.wire.read().await?;
            match packet.first() {
                Some(0xfe) if packet.len() < 9 => {
                    return Payload(packet.get(3..).unwrap_or_default()).number(2);
                }
                Some(0xff) => return Err(Fault::read(&packet)),
                _ => {}
            }
            if let Some(receiver) = &mut receiver {
                let row = match is_binary {
                    true => rows::binary(&packet, &columns)?,
                    false => rows::text(&packet, &columns)?,
                };
                (receiver.take)(&columns, row, packet.len());
            }
        }
    }

    /// Reads the mark behind a list of columns.
    async fn end(&mut self) -> Result<(), Fault> {
        let packet = self.wire.read().await?;
        match packet.first() {
            Some(0xfe) if packet.len() < 9 => Ok(()),
            _ => Err(Fault::Odd("columns without an end".to_owned())),
        }
    }
}
