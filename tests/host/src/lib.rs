//! The tools of the tests of a whole host: built guests, projects in temporary directories, and a client.

mod client;
mod guests;
pub mod log;
mod project;
mod smtp;

pub use client::{Answer, client, request};
pub use guests::{guest, sample};
pub use project::{MEMORY, Project, Running};
pub use smtp::SmtpServer;
