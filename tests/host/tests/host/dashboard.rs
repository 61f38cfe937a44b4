//! The dashboard of a host that runs: its door, its pages, its forms, and a browser before it.

mod browser;
mod chromium;
mod door;
mod forms;
mod hostile;
mod pages;
mod visitor;

use libtest_mimic::Trial;

pub fn trials() -> Vec<Trial> {
    let groups = [
        browser::trials(),
        door::trials(),
        forms::trials(),
        hostile::trials(),
        pages::trials(),
    ];
    groups.into_iter().flatten().collect()
}
