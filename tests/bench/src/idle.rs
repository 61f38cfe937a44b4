//! (f) Memory of apps that are loaded and not called: the same file for all, and a file for each.

use crate::{
    Scale,
    child::{Job, resident, scratch},
    guests,
    project::Project,
    report::{Aim, Row, Section},
};
use anyhow::{Context, Result};
use std::{fmt::Write as _, fs, path::Path};

const AIM: Aim = Aim::AtMost(150.0, "MB");
/// Grants for the imports of `meter`, more than `plain` needs.
const GRANTS: &str = "    grants: { state: [statestore], publish: [pubsub], invoke: [app-0] }\n";
/// The aim is for that many apps.
const APPS: usize = 1_000;

pub fn measure(scale: Scale) -> Result<Section> {
    let mut section = Section::new(
        "(f) resident memory of 1,000 loaded idle apps, above that of a host without apps",
    );
    for guest in ["plain", "meter"] {
        let directory = scratch()?;
        let file = guests::file(guest).display().to_string();
        let used = of(directory.path(), scale.pick(APPS, 50), |_| Ok(file.clone()))?;
        section.rows.push(
            used.row(format!("{guest}, the same file"))
                .aim(AIM, used.per_thousand()),
        );
    }
    let directory = scratch()?;
    let files = |number| distinct(directory.path(), number);
    let count = scale.pick(200, 5);
    let compiled = of(directory.path(), count, files)?;
    let mapped = of(directory.path(), count, files)?;
    section.rows.push(
        mapped
            .row("plain, a file for each, compiled before".to_owned())
            .aim(AIM, mapped.per_thousand()),
    );
    section
        .rows
        .push(compiled.row("plain, a file for each, compiled at this start".to_owned()));
    Ok(section)
}

/// A file equal in all but a custom section, so that its digest is another.
fn distinct(directory: &Path, number: usize) -> Result<String> {
    let mut bytes = fs::read(guests::file("plain"))?;
    let data = format!("{number:08}");
    let name = "bench";
    bytes.push(0);
    bytes.push(u8::try_from(1 + name.len() + data.len())?);
    bytes.push(u8::try_from(name.len())?);
    bytes.extend_from_slice(name.as_bytes());
    bytes.extend_from_slice(data.as_bytes());
    let path = directory.join(format!("{number}.wasm"));
    fs::write(&path, bytes)?;
    Ok(path.display().to_string())
}

/// KiB that a number of apps take.
struct Used {
    apps: usize,
    all: u64,
    own: u64,
}

impl Used {
    fn per_thousand(&self) -> f64 {
        self.all as f64 * 1024.0 / 1e6 * (APPS as f64 / self.apps as f64)
    }

    fn row(&self, what: String) -> Row {
        let extrapolated = match self.apps {
            APPS => String::new(),
            apps => format!(", extrapolated from {apps} apps"),
        };
        let text = format!(
            "{:.1} MB ({:.0} KiB per app, of which {:.0} shared with the page cache{extrapolated})",
            self.per_thousand(),
            self.all as f64 / self.apps as f64,
            (self.all - self.own.min(self.all)) as f64 / self.apps as f64,
        );
        Row::new(what, text)
    }
}

fn of(directory: &Path, apps: usize, file: impl Fn(usize) -> Result<String>) -> Result<Used> {
    let mut text = String::new();
    for number in 0..apps {
        write!(
            text,
            "  - appID: app-{number}\n    guest: {}\n{GRANTS}",
            file(number)?
        )?;
    }
    Project::write(directory, &text, "")?;
    let (_process, line) = Job::Idle(directory.to_owned()).start()?;
    let numbers: Vec<u64> = line
        .split(' ')
        .filter_map(|number| number.parse().ok())
        .collect();
    let [all, own] = numbers
        .try_into()
        .ok()
        .context("a child says two numbers")?;
    Ok(Used { apps, all, own })
}

/// Loads all apps, in the child, and says by how much memory grew.
pub async fn load(directory: &Path) -> Result<()> {
    let project = Project::at(directory);
    let mut wythe = project.open().await?;
    let apps = project.apps()?;
    let (all, own) = (resident("VmRSS"), resident("RssAnon"));
    for app in apps {
        wythe.load(app).await?;
    }
    let grown = |name, before: u64| resident(name).saturating_sub(before);
    println!("{} {}", grown("VmRSS", all), grown("RssAnon", own));
    Ok(())
}
