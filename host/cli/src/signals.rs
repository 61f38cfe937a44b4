//! The signals that end the host: the first begins the drain, the second ends the process at once.

use crate::report::note;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Fires at the first SIGINT or SIGTERM.
pub fn watch() -> anyhow::Result<CancellationToken> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let shutdown = CancellationToken::new();
    let token = shutdown.clone();
    tokio::spawn(async move {
        loop {
            let status = tokio::select! {
                _ = interrupt.recv() => 130,
                _ = terminate.recv() => 143,
            };
            if token.is_cancelled() {
                note("stopped at once");
                std::process::exit(status);
            }
            tracing::info!("stopping when what was begun is done; once more to stop at once");
            token.cancel();
        }
    });
    Ok(shutdown)
}
