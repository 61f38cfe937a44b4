//! `api`: which of Dapr's APIs apps may use. For a guest each is a block, which a grant opens.

use crate::name::shown;
use crate::problem::Source;
use crate::reader::At;
use crate::suggest::{did_you_mean, listed};

/// Entries of a list.
const MAX_ENTRIES: usize = 100;

/// Dapr's APIs, and the grants without which a guest cannot use them. What has none is nothing that a guest could use.
const APIS: [(&str, &[&str]); 18] = [
    ("actors", &["actors"]),
    ("bindings", &["bindings"]),
    ("configuration", &["configuration"]),
    ("conversation", &[]),
    ("crypto", &["crypto"]),
    ("healthz", &[]),
    ("invoke", &["invoke"]),
    ("jobs", &["jobs"]),
    ("lock", &["lock"]),
    ("metadata", &[]),
    ("publish", &["publish"]),
    ("secrets", &["secrets", "reveal"]),
    ("shutdown", &[]),
    ("state", &["state"]),
    ("subscribe", &[]),
    ("subtlecrypto", &["crypto"]),
    ("unlock", &["lock"]),
    ("workflows", &["workflow"]),
];

/// The APIs that the apps of a `Configuration` may use.
#[derive(Clone, Debug)]
pub struct ApiLists {
    /// Grants that are open, where only some are.
    allowed: Option<Listed>,
    /// Grants that are closed, whatever else is written.
    denied: Vec<(&'static str, Source)>,
}

/// A list of what is allowed.
#[derive(Clone, Debug)]
struct Listed {
    grants: Vec<&'static str>,
    source: Source,
}

impl ApiLists {
    /// The grants that are closed, each with the place that says so.
    pub fn closed(&self) -> Vec<(&'static str, &Source)> {
        let denied = self.denied.iter().map(|(grant, source)| (*grant, source));
        let mut closed: Vec<_> = denied.collect();
        if let Some(listed) = &self.allowed {
            let all = APIS.iter().flat_map(|(_, grants)| *grants);
            let others = all.filter(|grant| !listed.grants.contains(grant));
            closed.extend(others.map(|grant| (*grant, &listed.source)));
        }
        closed.sort_by_key(|(grant, _)| *grant);
        closed.dedup_by_key(|(grant, _)| *grant);
        closed
    }
}

/// Reads the key.
pub(super) fn read(at: &At) -> Option<ApiLists> {
    let fields = at.fields(&["allowed", "denied"])?;
    let list = |key: &str| {
        let at = fields.get(key)?;
        Some((read_list(&at), at.source()))
    };
    let allowed = list("allowed").filter(|(entries, _)| !entries.is_empty());
    let denied = list("denied").map(|(entries, _)| entries);
    Some(ApiLists {
        allowed: allowed.map(|(entries, source)| Listed {
            grants: entries
                .into_iter()
                .flat_map(|(grants, _)| grants)
                .copied()
                .collect(),
            source,
        }),
        denied: denied
            .unwrap_or_default()
            .into_iter()
            .flat_map(|(grants, source)| grants.iter().map(move |grant| (*grant, source.clone())))
            .collect(),
    })
}

fn read_list(at: &At) -> Vec<(&'static [&'static str], Source)> {
    let items = at.items();
    if items.len() > MAX_ENTRIES {
        at.error(&format!(
            "has {} entries; at most {MAX_ENTRIES} are allowed",
            items.len()
        ));
        return Vec::new();
    }
    items.iter().filter_map(read_entry).collect()
}

/// An entry that names no API, or no protocol, would forbid nothing. Each API has one version for guests and neither
/// protocol, so that an entry is about it whatever its version and its protocol are.
fn read_entry(at: &At) -> Option<(&'static [&'static str], Source)> {
    let fields = at.fields(&["name", "version", "protocol"])?;
    fields.demand("version", "such as `v1`", |at| {
        let text = at.text()?;
        let is_version = text.strip_prefix(['v', 'V']).is_some_and(|rest| {
            rest.starts_with(|first: char| first.is_ascii_digit())
                && rest.len() <= 16
                && rest
                    .chars()
                    .all(|one| one.is_ascii_alphanumeric() || one == '.')
        });
        if !is_version {
            at.error(&format!(
                "expected a version such as `v1`, found `{}`",
                shown(text)
            ));
        }
        Some(())
    });
    fields.demand("protocol", "`http` or `grpc`", |at| {
        let text = at.text()?;
        if !["http", "grpc"].contains(&text.to_ascii_lowercase().as_str()) {
            at.error(&format!(
                "expected `http` or `grpc`, found `{}`",
                shown(text)
            ));
        }
        Some(())
    });
    let names = || APIS.iter().map(|(name, _)| *name);
    fields.demand("name", "the API", |at| {
        let text = at.text()?;
        let Some((_, grants)) = APIS.iter().find(|(name, _)| *name == text) else {
            let message = format!(
                "no API is called `{}`; expected one of {}",
                shown(text),
                listed(names())
            );
            at.error_with_help(&message, did_you_mean(text, names()));
            return None;
        };
        Some((*grants, at.source()))
    })
}
