//! Many tenants in one host, each from its directory: real guests, and the command in a process of its own.

mod changes;
mod memory;
mod quotas;
mod root;
mod signing;
mod tenants;
mod tls;
mod watch;
mod wrong;

use libtest_mimic::Trial;

pub fn trials() -> Vec<Trial> {
    let groups = [
        tenants::trials(),
        changes::trials(),
        memory::trials(),
        quotas::trials(),
        signing::trials(),
        wrong::trials(),
        watch::trials(),
        tls::trials(),
    ];
    groups.into_iter().flatten().collect()
}
