//! The most that an expression costs, counted over its tree: nothing in CEL runs longer than its operands are long,
//! once it has no loops.

use crate::did_you_mean;
use cel::{
    IdedExpr,
    common::ast::{CallExpr, EntryExpr, Expr, IdedEntryExpr, LiteralValue, SelectExpr, operators},
};

/// Levels of a tree: evaluation and drop go down by recursion.
const MAX_DEPTH: u32 = 32;
/// Passes over the event.
pub(super) const MAX_COST: u32 = 32;
/// Passes that one search for a pattern counts for: a pattern has more states than a character has bytes.
const SEARCH: u32 = 4;

const VARIABLE: &str = "event";
const TYPES: [&str; 9] = [
    "bool", "bytes", "double", "int", "list", "map", "string", "type", "uint",
];
/// Functions and operators whose time and result are bounded by the size of their arguments.
const FUNCTIONS: [&str; 28] = [
    "bool",
    "bytes",
    "contains",
    "double",
    "duration",
    "dyn",
    "endsWith",
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getFullYear",
    "getHours",
    "getMilliseconds",
    "getMinutes",
    "getMonth",
    "getSeconds",
    "int",
    MATCHES,
    "size",
    "startsWith",
    "string",
    "timestamp",
    "type",
    "uint",
    operators::ADD,
    operators::INDEX,
    operators::NEGATE,
];
const MATCHES: &str = "matches";

type Result<T> = std::result::Result<T, String>;

/// A value's size at most, in events: constants are 0.
type Size = u32;

/// The count, once over the whole tree.
#[derive(Default)]
pub(super) struct Walk {
    pub cost: u32,
    pub reads_data: bool,
    pub patterns: Vec<String>,
    depth: u32,
}

impl Walk {
    pub fn over(root: &IdedExpr) -> Result<Self> {
        let mut walk = Walk::default();
        walk.size(root)?;
        match walk.cost {
            0..=MAX_COST => Ok(walk),
            cost => Err(format!(
                "goes over the event {cost} times; at most {MAX_COST} are allowed"
            )),
        }
    }

    fn size(&mut self, node: &IdedExpr) -> Result<Size> {
        if self.depth == MAX_DEPTH {
            return Err(format!(
                "nests deeper than {MAX_DEPTH} levels; make it two rules"
            ));
        }
        self.depth += 1;
        let size = match &node.expr {
            Expr::Literal(_) => Ok(0),
            Expr::Ident(name) => self.name(name),
            Expr::Select(select) => self.select(select),
            Expr::Call(call) => self.call(call),
            Expr::List(list) => self.built(list.elements.iter()),
            Expr::Map(map) => self.map(&map.entries),
            Expr::Comprehension(_) => Err(
                "repeats (`all`, `exists`, `exists_one`, `filter`, `map`), which a rule may not"
                    .into(),
            ),
            Expr::Struct(_) | Expr::Unspecified => {
                Err("builds a message, which a rule may not".into())
            }
        };
        self.depth -= 1;
        size
    }

    fn name(&mut self, name: &str) -> Result<Size> {
        if name == VARIABLE {
            self.reads_data = true;
            return Ok(1);
        }
        if TYPES.contains(&name) {
            return Ok(0);
        }
        let name = super::Expression::shown(name);
        Err(format!("names `{name}`; a rule knows `{VARIABLE}` alone"))
    }

    /// `event.type` reads no data; any other use of `event` may.
    fn select(&mut self, select: &SelectExpr) -> Result<Size> {
        let size = match &select.operand.expr {
            Expr::Ident(name) if name == VARIABLE => {
                self.reads_data |= select.field == "data";
                1
            }
            _ => self.size(&select.operand)?,
        };
        Ok(if select.test { 0 } else { size })
    }

    fn call(&mut self, call: &CallExpr) -> Result<Size> {
        let operands = call.target.iter().map(|target| &**target);
        let operands = operands.chain(&call.args);
        let sizes: Vec<Size> = operands
            .map(|each| self.size(each))
            .collect::<Result<_>>()?;
        let all = sizes
            .iter()
            .fold(0, |sum: Size, size| sum.saturating_add(*size));
        match call.func_name.as_str() {
            operators::LOGICAL_AND | operators::LOGICAL_OR | operators::LOGICAL_NOT => Ok(0),
            operators::CONDITIONAL => Ok(sizes.iter().copied().max().unwrap_or(0)),
            operators::EQUALS
            | operators::NOT_EQUALS
            | operators::LESS
            | operators::LESS_EQUALS
            | operators::GREATER
            | operators::GREATER_EQUALS => {
                self.pay(sizes.iter().copied().min().unwrap_or(0));
                Ok(0)
            }
            operators::SUBSTRACT
            | operators::MULTIPLY
            | operators::DIVIDE
            | operators::MODULO
            | operators::IN => {
                self.pay(all);
                Ok(0)
            }
            MATCHES => {
                self.pattern(call)?;
                self.pay(all.saturating_mul(SEARCH));
                Ok(0)
            }
            name if FUNCTIONS.contains(&name) => {
                self.pay(all);
                Ok(all)
            }
            name => Err(unknown(name)),
        }
    }

    /// A pattern is read once, at the start, so it cannot come out of an event.
    fn pattern(&mut self, call: &CallExpr) -> Result<()> {
        match call.args.last().map(|last| &last.expr) {
            Some(Expr::Literal(LiteralValue::String(pattern))) => {
                self.patterns.push(pattern.inner().to_owned());
                Ok(())
            }
            _ => Err(format!(
                "calls `{MATCHES}` with a pattern that is no text in the rule itself"
            )),
        }
    }

    fn map(&mut self, entries: &[IdedEntryExpr]) -> Result<Size> {
        let mut parts = Vec::new();
        for entry in entries {
            let EntryExpr::MapEntry(entry) = &entry.expr else {
                return Err("builds a message, which a rule may not".into());
            };
            parts.extend([&entry.key, &entry.value]);
        }
        self.built(parts.into_iter())
    }

    /// Pays for a list or map, whose parts are copied into it.
    fn built<'a>(&mut self, mut parts: impl Iterator<Item = &'a IdedExpr>) -> Result<Size> {
        let all = parts.try_fold(0, |sum: Size, part| {
            Ok::<_, String>(sum.saturating_add(self.size(part)?))
        })?;
        self.pay(all);
        Ok(all)
    }

    fn pay(&mut self, passes: u32) {
        self.cost = self.cost.saturating_add(passes);
    }
}

fn unknown(name: &str) -> String {
    let shown = super::Expression::shown(name);
    let hint = did_you_mean(&shown, FUNCTIONS).map_or(String::new(), |hint| format!("; {hint}"));
    format!("calls `{shown}`, which a rule may not{hint}")
}
