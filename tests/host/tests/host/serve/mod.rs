//! Many tenants in one host, each from its directory: real guests, and the command in a process of its own.

mod apart;
mod changes;
mod clients;
mod files;
mod memory;
mod quotas;
pub mod root;
mod signing;
mod tenants;
mod tls;
mod watch;
mod wrong;

use libtest_mimic::Trial;
use root::Mode;

pub fn trials() -> Vec<Trial> {
    let groups = [
        tenants::trials(),
        changes::trials(),
        memory::trials(),
        quotas::trials(),
        signing::trials(),
        files::trials(),
        wrong::trials(),
        watch::trials(),
        tls::trials(),
        clients::trials(),
        apart::trials(),
    ];
    groups.into_iter().flatten().collect()
}

/// The same test where tenants share the host's process, and where each has one of its own.
fn both<F>(name: &str, run: fn(Mode) -> F) -> [Trial; 2]
where
    F: Future<Output = anyhow::Result<()>> + 'static,
{
    let apart = format!("{name}::apart");
    [(name, Mode::Shared), (&apart, Mode::Process)]
        .map(|(name, mode)| crate::trial(name, move || run(mode)))
}
