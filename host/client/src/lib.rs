//! HTTP as drivers ask for it: connections whose peer is measured before it answers, each for one call at a time.

mod connect;
mod exchange;
mod flow;
mod link;
mod pool;
mod trust;

pub use connect::{BoxError, CONNECT, Connector, Stream};
pub use exchange::{Answer, Ask, Failed, Server};
pub use flow::Flow;
pub use link::{HEAD, INTERIM};
pub use pool::{Connection, Fault, IDLE, IDLE_FOR, Pool};
pub use trust::Trust;
