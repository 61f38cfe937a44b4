//! Documents together: names of policies that are there, and no policy and no target twice for an app.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::{Aim, MAX_DOCUMENTS, Named, Resiliency, Written, defaults::Sort};
use crate::name::{Name, shown};
use crate::problem::{Problem, Problems, Source};
use crate::resources::Resources;
use crate::suggest::did_you_mean;

/// Different apps in the `scopes` of all documents: each of them has plans and breakers of its own for every target.
const MAX_APPS: usize = 200;
/// Problems of policies of one project.
const MAX_PROBLEMS: usize = 100;

/// Names that Dapr has for retries of its own, of which nothing here makes use, and the reason.
const NOT_HERE: [(&str, &str); 3] = [
    (
        "DaprBuiltInActorReminderRetries",
        "a reminder that fails is tried again by the host's own rule; remove it",
    ),
    (
        "DaprBuiltInInitializationRetries",
        "a component is opened once, within its `initTimeout`; remove it",
    ),
    (
        "DaprBuiltInActorNotFoundRetries",
        "as in Dapr, it cannot be replaced; remove it",
    ),
];

/// Compares all documents of a project. More than 100 are too many, and the rest is left out.
pub(crate) fn check(resources: &mut Resources, problems: &mut Problems) {
    let documents = &mut resources.resiliencies;
    if let Some(first) = documents.get(MAX_DOCUMENTS) {
        let message = format!("more than {MAX_DOCUMENTS} documents of `Resiliency`; join them");
        problems.0.push(first.source.problem("kind", message));
        documents.truncate(MAX_DOCUMENTS);
    }
    let mut apps = HashSet::new();
    let one_too_many = documents.iter().find(|one| {
        apps.extend(&one.scopes);
        apps.len() > MAX_APPS
    });
    if let Some(one) = one_too_many {
        let message = format!(
            "documents of `Resiliency` name more than {MAX_APPS} different apps; leave out `scopes` where all apps are meant"
        );
        problems.0.push(one.source.problem("scopes", message));
        documents.clear();
    }
    let documents = &resources.resiliencies;
    let mut policies = Policies::new(documents, problems);
    policies.twice("timeouts", |one| places(&one.timeouts));
    policies.twice("retries", |one| places(&one.retries));
    policies.twice("circuitBreakers", |one| places(&one.breakers));
    policies.targets_twice();
    policies.named(Sort::Timeout, "timeouts", |one| places(&one.timeouts));
    policies.named(Sort::Retry, "retries", |one| places(&one.retries));
    policies.named(Sort::Breaker, "circuitBreakers", |one| {
        places(&one.breakers)
    });
    policies.not_here();
}

fn places<T>(policies: &BTreeMap<String, Written<T>>) -> Vec<(&str, &Source)> {
    let each = policies.iter();
    each.map(|(name, written)| (name.as_str(), &written.source))
        .collect()
}

struct Policies<'a> {
    documents: &'a [Resiliency],
    relations: Relations,
    problems: &'a mut Problems,
    /// Problems that may still be added.
    room: usize,
}

/// The documents that are for the same apps, by their numbers.
struct Relations {
    /// Pairs of documents that are both for some app.
    meet: HashSet<(usize, usize)>,
    /// Pairs of which the first is for every app that the second is for.
    cover: HashSet<(usize, usize)>,
}

impl Relations {
    fn of(documents: &[Resiliency]) -> Self {
        let scopes = documents.iter().map(|one| one.scopes.iter().collect());
        let scopes: Vec<BTreeSet<&Name>> = scopes.collect();
        let (mut meet, mut cover) = (HashSet::new(), HashSet::new());
        for (one, first) in documents.iter().enumerate() {
            for (other, second) in documents.iter().enumerate() {
                let (of_one, of_other) = (&scopes[one], &scopes[other]);
                let is_open = of_one.is_empty();
                let (space, of_second) = (&first.namespace, &second.namespace);
                let spaces = space.is_none() || space == of_second;
                if spaces && (is_open || (!of_other.is_empty() && of_other.is_subset(of_one))) {
                    cover.insert((one, other));
                }
                let is_open = is_open || of_other.is_empty();
                let spaces = spaces || of_second.is_none();
                if spaces && (is_open || !of_one.is_disjoint(of_other)) {
                    meet.insert((one, other));
                }
            }
        }
        Relations { meet, cover }
    }
}

impl<'a> Policies<'a> {
    fn new(documents: &'a [Resiliency], problems: &'a mut Problems) -> Self {
        Policies {
            relations: Relations::of(documents),
            documents,
            problems,
            room: MAX_PROBLEMS,
        }
    }

    fn add(&mut self, problem: impl FnOnce() -> Problem) {
        if self.room > 0 {
            self.room -= 1;
            self.problems.0.push(problem());
        }
    }

    fn twice(
        &mut self,
        key: &'static str,
        of: impl Fn(&'a Resiliency) -> Vec<(&'a str, &'a Source)>,
    ) {
        let each = |document: &'a Resiliency| {
            let named = of(document).into_iter();
            let named = named.map(|(name, source)| ((key, name.to_owned()), source));
            named.collect::<Vec<_>>()
        };
        self.conflicts(&format!("spec.policies.{key}"), each);
    }

    fn targets_twice(&mut self) {
        let each = |document: &'a Resiliency| {
            let targets = document.targets.iter();
            let targets =
                targets.map(|target| ((target.aim.as_str(), target.name.clone()), &target.source));
            targets.collect::<Vec<_>>()
        };
        self.conflicts("spec.targets", each);
    }

    /// Refuses what two documents that meet have of one name.
    fn conflicts(
        &mut self,
        key: &str,
        of: impl Fn(&'a Resiliency) -> Vec<((&'a str, String), &'a Source)>,
    ) {
        let mut first: HashMap<(&str, String), Vec<(usize, &Source)>> = HashMap::new();
        for (number, document) in self.documents.iter().enumerate() {
            for (name, source) in of(document) {
                let message = |other: &Source| {
                    let name = shown(&name.1);
                    format!("`{name}` is already defined in {other}; leave one of them")
                };
                let others = first.entry(name.clone()).or_default();
                let meets = |one: usize| self.relations.meet.contains(&(one, number));
                if let Some((_, other)) = others.iter().find(|(one, _)| meets(*one)) {
                    self.add(|| source.problem(key, message(other)));
                }
                others.push((number, source));
            }
        }
    }

    /// Looks up the policies that targets name, and warns of those that nothing names.
    fn named(
        &mut self,
        sort: Sort,
        key: &str,
        of: impl Fn(&'a Resiliency) -> Vec<(&'a str, &'a Source)>,
    ) {
        let mut known: HashMap<&str, Vec<usize>> = HashMap::new();
        for (number, document) in self.documents.iter().enumerate() {
            for (name, _) in of(document) {
                known.entry(name).or_default().push(number);
            }
        }
        let mut used = BTreeSet::new();
        for (number, document) in self.documents.iter().enumerate() {
            for named in document
                .targets
                .iter()
                .filter_map(|target| target.named(sort))
            {
                used.insert(named.name.as_str());
                let others = known.get(named.name.as_str()).into_iter().flatten();
                let cover = &self.relations.cover;
                if !others
                    .clone()
                    .any(|other| cover.contains(&(*other, number)))
                {
                    let names = known.keys().copied();
                    self.add(|| unknown(named, key, others.count() > 0, names));
                }
            }
        }
        self.unused(sort, key, &used, of);
    }

    fn unused(
        &mut self,
        sort: Sort,
        key: &str,
        used: &BTreeSet<&str>,
        of: impl Fn(&'a Resiliency) -> Vec<(&'a str, &'a Source)>,
    ) {
        let mut defaults = sort.defaults();
        if let Sort::Retry = sort {
            let built_in = [Aim::App, Aim::Actor].into_iter().filter_map(Aim::built_in);
            let not_here = NOT_HERE.iter().map(|(name, _)| *name);
            defaults.extend(built_in.chain(not_here).map(str::to_owned));
        }
        let is_default = |name: &str| defaults.iter().any(|one| one.eq_ignore_ascii_case(name));
        for (name, source) in self.documents.iter().flat_map(of) {
            if used.contains(name) || is_default(name) {
                continue;
            }
            self.add(|| unused(name, source, key, &defaults));
        }
    }

    fn not_here(&mut self) {
        for document in self.documents {
            for (name, why) in NOT_HERE {
                if let Some(written) = document.retries.get(name) {
                    let message = format!("`{name}` is not enforced: {why}");
                    self.add(|| written.source.problem("spec.policies.retries", message));
                }
            }
        }
    }
}

/// A default policy that is misspelt would protect nothing, so it is an error.
fn unused(name: &str, source: &Source, key: &str, defaults: &[String]) -> Problem {
    let message = format!("no effect: no target names `{}`", shown(name));
    let problem = source.problem(format!("spec.policies.{key}"), message);
    let is_near = name.starts_with("Default") || name.starts_with("Dapr");
    let near = || did_you_mean(name, defaults.iter().map(String::as_str));
    match is_near.then(near).flatten() {
        Some(help) => problem.with_help(help),
        None => problem.as_warning(),
    }
}

fn unknown<'a>(
    named: &Named,
    key: &str,
    is_elsewhere: bool,
    names: impl Iterator<Item = &'a str>,
) -> Problem {
    let name = shown(&named.name);
    let message = match is_elsewhere {
        true => format!(
            "`{name}` of `{key}` is in a document that is not for all apps of this one; see `scopes`"
        ),
        false => format!("no policy of `{key}` is called `{name}`"),
    };
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    let help = did_you_mean(&named.name, names).filter(|_| !is_elsewhere);
    Problem {
        help,
        ..named.source.problem("spec.targets", message)
    }
}

impl super::Target {
    fn named(&self, sort: Sort) -> Option<&Named> {
        match sort {
            Sort::Timeout => self.timeout.as_ref(),
            Sort::Retry => self.retry.as_ref(),
            Sort::Breaker => self.breaker.as_ref(),
        }
    }
}
