//! `wythe:blocks/logging` for guests.

use crate::{
    bindings::app::wythe::blocks::logging::{Host, Level},
    ctx::Ctx,
};
use wasmtime::Result;

impl Host for Ctx {
    async fn log(
        &mut self,
        level: Level,
        message: String,
        fields: Vec<(String, String)>,
    ) -> Result<()> {
        let fields_length = |(name, value): &(String, String)| name.len() + value.len();
        self.spend(message.len() + fields.iter().map(fields_length).sum::<usize>());
        if self.is_replaying() {
            return Ok(());
        }
        let level = match level {
            Level::Trace => tracing::Level::TRACE,
            Level::Debug => tracing::Level::DEBUG,
            Level::Info => tracing::Level::INFO,
            Level::Warn => tracing::Level::WARN,
            Level::Error => tracing::Level::ERROR,
        };
        let trace = self.caller.trace().to_string();
        self.identity.log.record(level, &trace, &message, &fields);
        Ok(())
    }
}
