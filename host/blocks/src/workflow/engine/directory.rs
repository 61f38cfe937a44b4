//! The directory of workflows and activities, and the app that has each.

use crate::workflow::core::names;
use crate::{App, Error, Result};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use wythe_manifest::Name;

/// An app with what it offers.
#[derive(Clone)]
pub(in crate::workflow) struct Offer {
    pub app: Arc<App>,
    workflows: BTreeSet<String>,
    activities: BTreeSet<String>,
}

#[derive(Clone, Copy)]
pub(in crate::workflow) enum Sort {
    Workflow,
    Activity,
}

impl Sort {
    fn word(self) -> &'static str {
        match self {
            Sort::Workflow => "workflow",
            Sort::Activity => "activity",
        }
    }
}

impl Offer {
    fn names(&self, sort: Sort) -> &BTreeSet<String> {
        match sort {
            Sort::Workflow => &self.workflows,
            Sort::Activity => &self.activities,
        }
    }
}

/// A tenant's apps that have workflows or activities.
#[derive(Default)]
pub(in crate::workflow) struct Directory(BTreeMap<String, Offer>);

impl Directory {
    pub fn add(
        &mut self,
        app: &Arc<App>,
        workflows: Vec<String>,
        activities: Vec<String>,
    ) -> Result<(), Vec<Error>> {
        let id = app.id().to_string();
        let mut problems = Vec::new();
        for (sort, names) in [(Sort::Workflow, &workflows), (Sort::Activity, &activities)] {
            problems.extend(faults(&id, sort, names));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let offer = Offer {
            app: app.clone(),
            workflows: workflows.into_iter().collect(),
            activities: activities.into_iter().collect(),
        };
        if offer.workflows.is_empty() && offer.activities.is_empty() {
            self.0.remove(&id);
        } else {
            self.0.insert(id, offer);
        }
        Ok(())
    }

    pub fn remove(&mut self, app: &Name) {
        self.0.remove(app.as_str());
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn app(&self, id: &str) -> Option<&Offer> {
        self.0.get(id)
    }

    /// The app that has it, and its name there: `name`, which only one app may have, or `app/name`.
    pub fn find(&self, sort: Sort, name: &str) -> Result<(&Offer, String)> {
        if let Some((app, plain)) = name.split_once('/') {
            let offer = self
                .0
                .get(app)
                .filter(|offer| offer.names(sort).contains(plain));
            let offer = offer.ok_or_else(|| self.missing(sort, name))?;
            return Ok((offer, plain.to_owned()));
        }
        let having = self.0.iter();
        let having: Vec<_> = having
            .filter(|(_, offer)| offer.names(sort).contains(name))
            .collect();
        match having.as_slice() {
            [(_, offer)] => Ok((offer, name.to_owned())),
            [] => Err(self.missing(sort, name)),
            [(first, _), ..] => {
                let apps: Vec<_> = having.iter().map(|(app, _)| app.as_str()).collect();
                Err(Error::invalid(format!(
                    "{} `{name}` is in the apps {}; say which, such as `{first}/{name}`",
                    sort.word(),
                    apps.join(", ")
                )))
            }
        }
    }

    fn missing(&self, sort: Sort, name: &str) -> Error {
        let each = |(app, offer): (&String, &Offer)| {
            let app = app.clone();
            let names = offer.names(sort).clone().into_iter();
            names.map(move |name| format!("{app}/{name}"))
        };
        let known: Vec<_> = self.0.iter().flat_map(each).collect();
        let known = if known.is_empty() {
            "none".to_owned()
        } else {
            known.join(", ")
        };
        let word = sort.word();
        let shown: String = name.chars().take(64).flat_map(char::escape_debug).collect();
        Error::not_found(format!(
            "no app has the {word} `{shown}`; there are: {known}"
        ))
    }
}

fn faults(app: &str, sort: Sort, names: &[String]) -> Vec<Error> {
    let mut seen = BTreeSet::new();
    let word = sort.word();
    let fault = |name: &String| {
        let plain = names::check_name(word, name).is_ok() && !name.contains('/');
        if !plain {
            return Some(Error::invalid(format!(
                "app `{app}` has the {word} `{}`; expected letters, digits, `-`, `_`, `.` and `:`",
                name.escape_debug()
            )));
        }
        let twice = || Error::invalid(format!("app `{app}` has the {word} `{name}` twice"));
        (!seen.insert(name.clone())).then(twice)
    };
    names.iter().filter_map(fault).collect()
}
