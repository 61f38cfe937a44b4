//! Conditions over the counts of a circuit breaker, which say when it opens: the arithmetic and logic of CEL, checked for
//! types when they are read.

#[cfg(test)]
mod tests;

use super::{Expression, on_stack, tree};
use crate::did_you_mean;
use cel::{
    IdedExpr,
    common::ast::{CallExpr, Expr, LiteralValue, operators},
};

/// Levels of a tree: reading and evaluation go down by recursion.
const MAX_DEPTH: u32 = 32;

/// The counts of a circuit breaker since it was reset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Attempts that were let through.
    pub requests: u32,
    /// Attempts that went well.
    pub total_successes: u32,
    /// Attempts that failed.
    pub total_failures: u32,
    /// Successes since the last failure.
    pub consecutive_successes: u32,
    /// Failures since the last success.
    pub consecutive_failures: u32,
}

const VARIABLES: [&str; 5] = [
    "requests",
    "totalSuccesses",
    "totalFailures",
    "consecutiveSuccesses",
    "consecutiveFailures",
];
const FUNCTIONS: [&str; 2] = ["double", "int"];

/// A condition over [`Counts`], at most 32 levels deep.
#[derive(Clone, Debug, PartialEq)]
pub struct Trip {
    text: String,
    node: Node,
}

#[derive(Clone, Debug, PartialEq)]
enum Node {
    Value(Value),
    Count(usize),
    Not(Box<Node>),
    Negate(Box<Node>),
    Double(Box<Node>),
    Int(Box<Node>),
    Logic(bool, Box<[Node; 2]>),
    Sum(Sum, Box<[Node; 2]>),
    Compare(Compare, Box<[Node; 2]>),
    Choice(Box<[Node; 3]>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Value {
    Int(i64),
    Double(f64),
    Bool(bool),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Int,
    Double,
    Bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sum {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compare {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

type Read = Result<(Node, Type), String>;

impl Trip {
    /// Reads a condition, from any thread: it blocks for less than a millisecond.
    ///
    /// # Errors
    /// The mistake, as the end of a sentence that begins with the expression.
    pub fn parse(text: &str) -> Result<Self, String> {
        on_stack(|| {
            let (node, kind) = read(&tree(text)?, 0)?;
            if kind != Type::Bool {
                return Err("is no condition; compare it, as in `consecutiveFailures > 5`".into());
            }
            let text = text.to_owned();
            Ok(Trip { text, node })
        })
    }

    /// The condition of a breaker that has none: more than five failures in a row.
    pub fn after_five() -> Self {
        let sides = [Node::Count(4), Node::Value(Value::Int(5))];
        Trip {
            text: "consecutiveFailures > 5".to_owned(),
            node: Node::Compare(Compare::Greater, Box::new(sides)),
        }
    }

    /// The condition as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Says whether the breaker opens. A division by zero or a sum that is too large is no reason to.
    pub fn holds(&self, counts: &Counts) -> bool {
        matches!(self.node.value(counts), Some(Value::Bool(true)))
    }
}

fn read(expression: &IdedExpr, depth: u32) -> Read {
    if depth == MAX_DEPTH {
        return Err(format!("nests deeper than {MAX_DEPTH} levels"));
    }
    match &expression.expr {
        Expr::Literal(literal) => read_literal(literal),
        Expr::Ident(name) => read_name(name),
        Expr::Call(call) if call.target.is_none() => read_call(call, depth + 1),
        _ => Err("is more than numbers, comparisons and the counts of a breaker".into()),
    }
}

fn read_literal(literal: &LiteralValue) -> Read {
    let (value, kind) = match literal {
        LiteralValue::Boolean(value) => (Value::Bool(*value.inner()), Type::Bool),
        LiteralValue::Int(value) => (Value::Int(*value.inner()), Type::Int),
        LiteralValue::Double(value) => (Value::Double(*value.inner()), Type::Double),
        _ => return Err("has a constant that is neither a number nor `true` or `false`".into()),
    };
    Ok((Node::Value(value), kind))
}

fn read_name(name: &str) -> Read {
    match VARIABLES.iter().position(|known| *known == name) {
        Some(index) => Ok((Node::Count(index), Type::Int)),
        None => {
            let shown = Expression::shown(name);
            let hint =
                did_you_mean(name, VARIABLES).map_or(String::new(), |hint| format!("; {hint}"));
            Err(format!(
                "names `{shown}`; a breaker knows {}{hint}",
                VARIABLES.join(", ")
            ))
        }
    }
}

fn read_call(call: &CallExpr, depth: u32) -> Read {
    let operands: Result<Vec<_>, _> = call.args.iter().map(|one| read(one, depth)).collect();
    let mut operands = operands?.into_iter();
    let name = call.func_name.as_str();
    match (operands.next(), operands.next(), operands.next()) {
        (Some(one), None, None) => read_unary(name, one),
        (Some(one), Some(other), None) => read_binary(name, one, other),
        (Some(one), Some(other), Some(third)) if name == operators::CONDITIONAL => {
            read_choice(one, other, third)
        }
        _ => Err(unknown(name)),
    }
}

fn read_unary(name: &str, (node, kind): (Node, Type)) -> Read {
    let node = Box::new(node);
    match (name, kind) {
        (operators::LOGICAL_NOT, Type::Bool) => Ok((Node::Not(node), Type::Bool)),
        (operators::NEGATE, Type::Int | Type::Double) => Ok((Node::Negate(node), kind)),
        ("double", Type::Int | Type::Double) => Ok((Node::Double(node), Type::Double)),
        ("int", Type::Int | Type::Double) => Ok((Node::Int(node), Type::Int)),
        (operators::LOGICAL_NOT | operators::NEGATE | "double" | "int", _) => {
            Err("has an operator whose operand is of another type".into())
        }
        _ => Err(unknown(name)),
    }
}

fn read_binary(name: &str, (one, kind): (Node, Type), (other, of_other): (Node, Type)) -> Read {
    let both = Box::new([one, other]);
    let is_number = kind != Type::Bool && of_other != Type::Bool;
    if let operators::LOGICAL_AND | operators::LOGICAL_OR = name {
        return match (kind, of_other) {
            (Type::Bool, Type::Bool) => Ok((
                Node::Logic(name == operators::LOGICAL_AND, both),
                Type::Bool,
            )),
            _ => Err("joins by `&&` or `||` what is no condition".into()),
        };
    }
    if let Some(sum) = sum_of(name) {
        return match kind == of_other && is_number && !(sum == Sum::Modulo && kind == Type::Double) {
            true => Ok((Node::Sum(sum, both), kind)),
            false => Err(
                "calculates with numbers of two types; write `double(..)` around a count, and `0.5` with a point".into(),
            ),
        };
    }
    let compare = compare_of(name).ok_or_else(|| unknown(name))?;
    match is_number || kind == of_other {
        true => Ok((Node::Compare(compare, both), Type::Bool)),
        false => Err("compares a number with a condition".into()),
    }
}

fn read_choice(one: (Node, Type), other: (Node, Type), third: (Node, Type)) -> Read {
    match (one.1, other.1 == third.1) {
        (Type::Bool, true) => Ok((Node::Choice(Box::new([one.0, other.0, third.0])), other.1)),
        _ => Err("chooses by `? :` between two types, or by what is no condition".into()),
    }
}

fn unknown(name: &str) -> String {
    let shown = Expression::shown(name);
    let hint = did_you_mean(name, FUNCTIONS).map_or(String::new(), |hint| format!("; {hint}"));
    format!("calls `{shown}`, which a breaker may not{hint}")
}

fn sum_of(name: &str) -> Option<Sum> {
    Some(match name {
        operators::ADD => Sum::Add,
        operators::SUBSTRACT => Sum::Subtract,
        operators::MULTIPLY => Sum::Multiply,
        operators::DIVIDE => Sum::Divide,
        operators::MODULO => Sum::Modulo,
        _ => return None,
    })
}

fn compare_of(name: &str) -> Option<Compare> {
    Some(match name {
        operators::EQUALS => Compare::Equal,
        operators::NOT_EQUALS => Compare::NotEqual,
        operators::LESS => Compare::Less,
        operators::LESS_EQUALS => Compare::LessOrEqual,
        operators::GREATER => Compare::Greater,
        operators::GREATER_EQUALS => Compare::GreaterOrEqual,
        _ => return None,
    })
}

impl Node {
    fn value(&self, counts: &Counts) -> Option<Value> {
        Some(match self {
            Node::Value(value) => *value,
            Node::Count(index) => Value::Int(counts.of(*index).into()),
            Node::Not(node) => Value::Bool(!node.is_true(counts)?),
            Node::Negate(node) => match node.value(counts)? {
                Value::Int(number) => Value::Int(number.checked_neg()?),
                Value::Double(number) => Value::Double(-number),
                Value::Bool(_) => return None,
            },
            Node::Double(node) => Value::Double(node.value(counts)?.double()?),
            Node::Int(node) => match node.value(counts)? {
                Value::Double(number) if number.abs() < i64::MAX as f64 => {
                    Value::Int(number as i64)
                }
                Value::Int(number) => Value::Int(number),
                _ => return None,
            },
            // As in CEL, one side that decides is enough, even where the other one fails.
            Node::Logic(is_and, sides) => {
                let [one, other] = sides.each_ref().map(|side| side.is_true(counts));
                match (one, other) {
                    (Some(one), _) if one != *is_and => Value::Bool(one),
                    (_, Some(other)) if other != *is_and => Value::Bool(other),
                    (Some(_), Some(_)) => Value::Bool(*is_and),
                    _ => return None,
                }
            }
            Node::Sum(sum, sides) => sum.of(sides[0].value(counts)?, sides[1].value(counts)?)?,
            Node::Compare(compare, sides) => {
                Value::Bool(compare.of(sides[0].value(counts)?, sides[1].value(counts)?)?)
            }
            Node::Choice(parts) => match parts[0].is_true(counts)? {
                true => parts[1].value(counts)?,
                false => parts[2].value(counts)?,
            },
        })
    }

    fn is_true(&self, counts: &Counts) -> Option<bool> {
        match self.value(counts)? {
            Value::Bool(value) => Some(value),
            Value::Int(_) | Value::Double(_) => None,
        }
    }
}

impl Value {
    fn double(self) -> Option<f64> {
        match self {
            Value::Int(number) => Some(number as f64),
            Value::Double(number) => Some(number),
            Value::Bool(_) => None,
        }
    }
}

impl Sum {
    fn of(self, one: Value, other: Value) -> Option<Value> {
        Some(match (one, other) {
            (Value::Int(one), Value::Int(other)) => Value::Int(match self {
                Sum::Add => one.checked_add(other)?,
                Sum::Subtract => one.checked_sub(other)?,
                Sum::Multiply => one.checked_mul(other)?,
                Sum::Divide => one.checked_div(other)?,
                Sum::Modulo => one.checked_rem(other)?,
            }),
            (Value::Double(one), Value::Double(other)) => Value::Double(match self {
                Sum::Add => one + other,
                Sum::Subtract => one - other,
                Sum::Multiply => one * other,
                Sum::Divide => one / other,
                Sum::Modulo => return None,
            }),
            _ => return None,
        })
    }
}

impl Compare {
    fn of(self, one: Value, other: Value) -> Option<bool> {
        let order = match (one, other) {
            (Value::Bool(one), Value::Bool(other)) => Some(one.cmp(&other)),
            (Value::Int(one), Value::Int(other)) => Some(one.cmp(&other)),
            // No order: a quotient of zeros is no number, and no comparison with it holds.
            _ => one.double()?.partial_cmp(&other.double()?),
        };
        Some(match self {
            Compare::Equal => order.is_some_and(|order| order.is_eq()),
            Compare::NotEqual => order.is_none_or(|order| order.is_ne()),
            Compare::Less => order.is_some_and(|order| order.is_lt()),
            Compare::LessOrEqual => order.is_some_and(|order| order.is_le()),
            Compare::Greater => order.is_some_and(|order| order.is_gt()),
            Compare::GreaterOrEqual => order.is_some_and(|order| order.is_ge()),
        })
    }
}

impl Counts {
    fn of(&self, index: usize) -> u32 {
        let all = [
            self.requests,
            self.total_successes,
            self.total_failures,
            self.consecutive_successes,
            self.consecutive_failures,
        ];
        all[index]
    }
}
