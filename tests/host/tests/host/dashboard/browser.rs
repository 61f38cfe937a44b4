//! The dashboard in a browser: every page in light, dark and narrow, and a purchase that is followed to its trace. The
//! pictures stay in `dashboard/` of the directory for the tests' files.

use super::{
    chromium::Chromium,
    pages::{PAGES, buy},
    visitor::Seen,
};
use crate::{case, shop};
use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use std::path::{Path, PathBuf};

/// Widths, colours, and the names of their pictures.
const VIEWS: [(u32, &str, &str); 3] = [
    (1280, "light", "light"),
    (1280, "dark", "dark"),
    (400, "light", "narrow"),
];

pub fn trials() -> Vec<Trial> {
    let name = "dashboard::a_browser_shows_every_page_and_a_purchase";
    vec![match Chromium::missing() {
        None => case(name, shown),
        Some(reason) => case(&format!("{name} ({reason})"), shown).with_ignored_flag(true),
    }]
}

async fn shown() -> Result<()> {
    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dashboard");
    std::fs::create_dir_all(&pictures)?;
    let project = shop::project()?;
    let seen = Seen::start(&project, &["--dev"])?;
    let mut browser = Chromium::start()?;
    // By the URL as it is printed, through the page of the door.
    browser.open(&seen.dashboard)?;
    browser
        .until("location.pathname.endsWith('/t/default/')")
        .await?;
    let here = browser.value("location.href")?;
    let tenant = here.as_str().context("no place")?.to_owned();
    browser.open(&format!("{tenant}requests"))?;
    buy(&seen.url).await?;
    // The page follows by itself.
    browser
        .until("document.body.innerText.includes('POST /checkout')")
        .await?;
    let trace = purchase(&mut browser).await?;
    let mut pages: Vec<_> = PAGES
        .iter()
        .map(|(page, _)| format!("{tenant}{page}"))
        .collect();
    pages.push(trace);
    browser.open(&format!("{tenant}workflows"))?;
    let workflow = browser.value("document.querySelector('a[href*=\"workflow?\"]').href")?;
    pages.push(workflow.as_str().context("no workflow")?.to_owned());
    for (width, colours, view) in VIEWS {
        browser.prefer(width, colours)?;
        for page in &pages {
            browser.open(page)?;
            let wrong = browser.value(include_str!("check.js"))?;
            ensure!(
                wrong.as_array().is_some_and(Vec::is_empty),
                "{page} ({view}): {wrong}"
            );
            let complaints = browser.complaints()?;
            // What is not there any more, or never was, is no complaint of the page.
            ensure!(complaints.is_empty(), "{page} ({view}): {complaints:?}");
            browser.picture(&picture(&pictures, view, page, &tenant))?;
        }
    }
    Ok(())
}

/// Goes from the list to the trace of the purchase as a person does, and waits until all nine apps are in it.
async fn purchase(browser: &mut Chromium) -> Result<String> {
    browser.value("[...document.querySelectorAll('a')].find((a) => a.textContent === 'POST /checkout').click()")?;
    browser
        .until("location.pathname.endsWith('/trace')")
        .await?;
    let apps = "document.querySelectorAll('#trace p a').length === 9";
    browser.until(apps).await?;
    browser
        .until("document.querySelectorAll('.fall tbody tr').length > 40")
        .await?;
    // Each bar is within its axis, and the first is that of the request.
    let bars = "[...document.querySelectorAll('.fall svg')].every((svg) => { const [rail, bar] = [...svg.children].map((c) => \
                c.getBoundingClientRect()); return bar.width > 0 && bar.left >= rail.left - 1 && bar.right <= rail.right + 1; })";
    browser.until(bars).await?;
    let first = browser.value("document.querySelector('.fall tbody th').innerText")?;
    ensure!(first == "storefront\nPOST /checkout", "{first}");
    let here = browser.value("location.href")?;
    Ok(here.as_str().context("no place")?.to_owned())
}

fn picture(pictures: &Path, view: &str, page: &str, tenant: &str) -> PathBuf {
    let page = page.strip_prefix(tenant).unwrap_or(page);
    let (name, query) = page.split_once('?').unwrap_or((page, ""));
    let name = if name.is_empty() { "overview" } else { name };
    // An id is another one in each run.
    let query = query
        .split_once('=')
        .filter(|_| !matches!(name, "trace" | "workflow"));
    let query = query.map_or(String::new(), |(_, value)| {
        format!("-{}", value.split('&').next().unwrap_or_default())
    });
    pictures.join(format!("{name}{query}-{view}.png"))
}
