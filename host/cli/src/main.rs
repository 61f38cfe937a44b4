//! The command `wythe`.

mod boot;
mod report;
mod serve;

use std::{path::PathBuf, process::ExitCode};
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .init();
    let path = PathBuf::from(std::env::args().nth(1).unwrap());
    let (plan, problems) = match boot::plan(&path) {
        Ok(x) => x,
        Err(p) => return report::fail(&p),
    };
    report::tell(&problems);
    let data = boot::data_directory(&plan.manifest);
    let booted = match boot::boot(&plan, &data).await {
        Ok(x) => x,
        Err(p) => return report::fail(&p),
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080")
        .await
        .unwrap();
    let shutdown = CancellationToken::new();
    let s2 = shutdown.clone();
    tokio::spawn(async move {
        tokio::signal::ctrl_c().await.unwrap();
        s2.cancel()
    });
    serve::serve(&plan, &booted, listener, shutdown).await;
    ExitCode::SUCCESS
}
