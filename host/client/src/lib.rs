//! HTTP as drivers ask for it: connections whose peer is measured before it answers, each for one call at a time.

mod address;
mod connect;
mod effect;
mod exchange;
mod few;
mod flow;
mod link;
mod percent;
mod pool;
mod signed;
mod trust;
mod xml;

pub use address::{is_exposed, parse_address};
pub use connect::{BoxError, CONNECT, Connector, Stream};
pub use effect::Effect;
pub use exchange::{Answer, Ask, Failed, Server};
pub use few::few;
pub use flow::Flow;
pub use link::{HEAD, INTERIM};
pub use percent::encode;
pub use pool::{Connection, Fault, IDLE, IDLE_FOR, Pool};
pub use signed::signed;
pub use trust::Trust;
pub use xml::Element;

/// The body of an answer while it comes.
pub type Body = hyper::body::Incoming;
