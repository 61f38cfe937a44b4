//! (e) The time from the start of the process to the first answer, with an empty cache of compiled components and a
//! full one.

use crate::{
    Scale,
    child::{Job, scratch},
    guests,
    load::Client,
    measure,
    project::Project,
    report::{Aim, Row, Section},
};
use anyhow::Result;
use std::{fs, path::Path, time::Instant};

const WARM_AIM: Aim = Aim::AtMost(200.0, "ms");
/// The durable defaults of the command `wythe`.
const RESOURCES: &str = "apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: statestore }
spec: { type: state.redb, version: v1 }
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: pubsub }
spec: { type: pubsub.redb, version: v1 }
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: lockstore }
spec: { type: lock.redb, version: v1 }
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: jobs }
spec: { type: jobs.redb, version: v1 }
";

#[derive(Default)]
struct Measured {
    wall: Vec<f64>,
    cpu: Vec<f64>,
}

pub fn measure(scale: Scale) -> Result<Section> {
    let directory = scratch()?;
    let (manifest, resources) = shop()?;
    let project = Project::write_manifest(directory.path(), &manifest, &resources)?;
    let what = format!("the shop ({} apps)", project.apps()?.len());
    let (mut cold, mut warm) = (Measured::default(), Measured::default());
    for _ in 0..scale.pick(3, 1) {
        project.forget_compiled()?;
        cold.start(directory.path())?;
        for _ in 0..scale.pick(3, 1) {
            warm.start(directory.path())?;
        }
    }
    let mut section = Section::new(
        "(e) start of the process to the first 200 on `/`; redb for state, events, locks and jobs, files in the page cache",
    );
    section
        .rows
        .push(cold.row(format!("{what}, nothing compiled yet")));
    let value = measure::median(&warm.wall);
    section.rows.push(
        warm.row(format!("{what}, compiled before"))
            .aim(WARM_AIM, value),
    );
    Ok(section)
}

/// Its manifest, and its resources beside the durable defaults.
fn shop() -> Result<(String, String)> {
    let shop = guests::root().join("sample-guests/shop");
    let mut resources = RESOURCES.to_owned();
    for entry in fs::read_dir(shop.join("resources"))? {
        let text = fs::read_to_string(entry?.path())?;
        let text = text.replace("../", &format!("{}/", shop.display()));
        resources += &format!("---\n{text}");
    }
    let manifest = fs::read_to_string(shop.join("wythe.yaml"))?;
    Ok((manifest, resources))
}

impl Measured {
    fn start(&mut self, directory: &Path) -> Result<()> {
        let begin = Instant::now();
        let server = Job::Wythe(directory.to_owned()).serve()?;
        measure::runtime()?
            .block_on(async { Client::connect_to(server.address, "/").await?.get().await })?;
        self.wall.push(begin.elapsed().as_secs_f64() * 1e3);
        self.cpu
            .push(measure::cpu(server.process.0.id())?.as_secs_f64() * 1e3);
        Ok(())
    }

    fn row(&self, what: String) -> Row {
        let text = format!(
            "{:.0} ms (CPU {:.0} ms)",
            measure::median(&self.wall),
            measure::median(&self.cpu)
        );
        Row::new(what, text)
    }
}
