//! Other names for paths: the target of a request is written anew, for the handlers after it and for the choice of an app.

#[cfg(any(fuzzing, test))]
pub(crate) mod fuzzing;

use async_trait::async_trait;
use http::{Request, Response, Uri};
use serde::Deserialize;
use std::{collections::BTreeMap, sync::Arc};
use wythe_blocks::{
    Body, Error, Result, Site, Wrong,
    middleware::{Driver, Next, Visit},
};
use wythe_manifest::wrong_with_path;

/// Routes of a component.
const ROUTES: usize = 1_000;
/// Bytes of all of them as they are written.
const WRITTEN: usize = 256 << 10;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Config {
    /// Mapping from paths to paths, in JSON or YAML.
    routes: String,
}

/// Routes without variables, by path, and those with some, by the number of their segments.
#[derive(Debug, Default)]
pub(super) struct RouterAlias {
    plain: BTreeMap<String, String>,
    variable: BTreeMap<usize, Vec<Alias>>,
}

/// A route with variables.
#[derive(Debug)]
struct Alias {
    segments: Vec<Segment>,
    target: String,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    Text(String),
    /// The name that the segment has in the query.
    Variable(String),
}

pub(super) fn parse(config: Config) -> Result<RouterAlias, Wrong> {
    read(&config.routes).map_err(|message| {
        let message = format!("`routes`: {message}");
        Wrong::new("routes", Error::invalid(message))
    })
}

fn read(text: &str) -> Result<RouterAlias, String> {
    if text.len() > WRITTEN {
        return Err(format!("more than {} KiB", WRITTEN >> 10));
    }
    let routes: BTreeMap<String, String> = serde_saphyr::from_str(text).map_err(|error| {
        let error = error.to_string();
        let first = error.lines().next().unwrap_or_default();
        format!("expected a mapping from paths to paths, in JSON or YAML: {first}")
    })?;
    if routes.len() > ROUTES {
        return Err(format!("more than {ROUTES} routes"));
    }
    let mut alias = RouterAlias::default();
    for (path, target) in routes {
        check_target(&target)?;
        let segments = segments(&path)?;
        let is_variable = |segment: &Segment| matches!(segment, Segment::Variable(_));
        match segments.iter().any(is_variable) {
            false => drop(alias.plain.insert(path, target)),
            true => {
                let same_length = alias.variable.entry(segments.len()).or_default();
                same_length.push(Alias { segments, target });
            }
        }
    }
    for same_length in alias.variable.values_mut() {
        // A text before a variable, as far to the left as it is: one order, whatever the file's.
        same_length.sort_by(|one, other| one.segments.cmp(&other.segments));
    }
    Ok(alias)
}

fn check_target(target: &str) -> Result<(), String> {
    let shown = target.escape_debug();
    if target.starts_with("/v1.0") {
        return Err(format!(
            "`{shown}` is of Dapr's API, which does not answer here; write the path as the `ingress` of the app has it"
        ));
    }
    let path = target.split('?').next().unwrap_or_default();
    // A fragment would hide what is put behind it, and no request has one.
    let is_whole = |uri: &Uri| uri.path() == path && !target.contains('#');
    let why = match target.parse::<Uri>() {
        Ok(uri) if path.starts_with('/') && is_whole(&uri) => wrong_with_path(path),
        _ => Some("expected one that begins with `/`, without a fragment"),
    };
    match why {
        Some(why) => Err(format!("the path `{shown}`: {why}")),
        None => Ok(()),
    }
}

fn segments(path: &str) -> Result<Vec<Segment>, String> {
    let wrong = || {
        format!(
            "the path `{}`; expected one that begins with `/`, such as `/cart` or `/cart/{{id}}`, where a variable is a whole segment",
            path.escape_debug()
        )
    };
    let rest = path.strip_prefix('/').ok_or_else(wrong)?;
    let segment = |text: &str| {
        let name = text
            .strip_prefix('{')
            .and_then(|text| text.strip_suffix('}'));
        let is_word = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        match name {
            Some(name) if !name.is_empty() && is_word(name) => {
                Ok(Segment::Variable(name.to_owned()))
            }
            None if !text.contains(['{', '}', '?', '#']) => Ok(Segment::Text(text.to_owned())),
            _ => Err(wrong()),
        }
    };
    rest.split('/').map(segment).collect()
}

pub(super) async fn open(alias: RouterAlias, _: Site) -> Result<Arc<dyn Driver>> {
    Ok(Arc::new(alias))
}

impl RouterAlias {
    /// The path and the query that a target stands for; none where it has no other name.
    fn target(&self, path: &str, query: Option<&str>) -> Option<String> {
        if let Some(target) = self.plain.get(path) {
            return Some(with(target, query.unwrap_or_default().to_owned()));
        }
        let segments: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
        let mut aliases = self.variable.get(&segments.len())?.iter();
        let (alias, variables) = aliases.find_map(|one| Some((one, one.matched(&segments)?)))?;
        let mut all: Vec<String> = query.iter().map(|query| (*query).to_owned()).collect();
        all.extend(variables);
        Some(with(&alias.target, all.join("&")))
    }
}

impl Alias {
    /// The variables as a query has them.
    fn matched(&self, segments: &[&str]) -> Option<Vec<String>> {
        let mut variables = Vec::new();
        for (own, found) in self.segments.iter().zip(segments) {
            match own {
                Segment::Text(text) if text == found => {}
                Segment::Variable(name) if !found.is_empty() => {
                    variables.push(format!("{name}={}", in_query(found)));
                }
                _ => return None,
            }
        }
        Some(variables)
    }
}

/// A segment of a path as the value of a query, in which some characters mean something else, and one cannot stand.
fn in_query(segment: &str) -> String {
    let escaped = segment.replace('&', "%26").replace('=', "%3D");
    escaped.replace('+', "%2B").replace('"', "%22")
}

fn with(target: &str, query: String) -> String {
    match (query.is_empty(), target.contains('?')) {
        (true, _) => target.to_owned(),
        (false, false) => format!("{target}?{query}"),
        (false, true) => format!("{target}&{query}"),
    }
}

#[async_trait]
impl Driver for RouterAlias {
    async fn handle(
        &self,
        _: &Arc<Visit>,
        mut request: Request<Body>,
        next: Next,
    ) -> Result<Response<Body>> {
        let uri = request.uri();
        if let Some(target) = self.target(uri.path(), uri.query()) {
            let wrong = |error| Error::invalid("the target of a route").with_source(error);
            let target: Uri = target.parse().map_err(wrong)?;
            let mut parts = request.uri().clone().into_parts();
            parts.path_and_query = target.into_parts().path_and_query;
            let wrong = |error| Error::invalid("the target of a route").with_source(error);
            *request.uri_mut() = Uri::from_parts(parts).map_err(wrong)?;
        }
        Ok(next.run(request).await)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_another_name() {
        let routes = "{\"/mall/info\": \"/shop/info\", \"/mall/{id}/info\": \"/shop/item\", \
                      \"/mall/{id}/{part}\": \"/shop/part?a=b\", \"/mall/new/{part}\": \"/shop/new\"}";
        let alias = read(routes).expect("routes");
        for (path, query, expected) in [
            ("/mall/info", None, Some("/shop/info")),
            ("/mall/info", Some("n=1"), Some("/shop/info?n=1")),
            ("/mall/7/info", None, Some("/shop/item?id=7")),
            ("/mall/7/info", Some("n=1"), Some("/shop/item?n=1&id=7")),
            (
                "/mall/a&b=c+d/x",
                None,
                Some("/shop/part?a=b&id=a%26b%3Dc%2Bd&part=x"),
            ),
            ("/mall/new/x", None, Some("/shop/new?part=x")),
            ("/mall/\"/info", None, Some("/shop/item?id=%22")),
            ("/mall//info", None, None),
            ("/mall/info/", None, None),
            ("/mall", None, None),
        ] {
            let found = alias.target(path, query);
            assert_eq!(found.as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn a_route_that_leads_nowhere_is_refused() {
        for (routes, expected) in [
            (
                "{/a: /v1.0/invoke/srv/method/a}",
                "`/v1.0/invoke/srv/method/a` is of Dapr's API, which does not answer here; write the path as the `ingress` of the app has it",
            ),
            (
                "{/a: b}",
                "the path `b`: expected one that begins with `/`, without a fragment",
            ),
            (
                "{/a: '/b?c#d'}",
                "the path `/b?c#d`: expected one that begins with `/`, without a fragment",
            ),
            (
                "{/a: 'http://b/c'}",
                "the path `http://b/c`: expected one that begins with `/`, without a fragment",
            ),
            (
                "{a: /b}",
                "the path `a`; expected one that begins with `/`, such as `/cart` or `/cart/{id}`, where a variable is a whole segment",
            ),
            (
                "{'/a{b}': /b}",
                "the path `/a{b}`; expected one that begins with `/`, such as `/cart` or `/cart/{id}`, where a variable is a whole segment",
            ),
        ] {
            assert_eq!(read(routes).expect_err(routes), expected);
        }
        for routes in ["[a]", "{/a: {}}", "{", "{/a: /b/../c}"] {
            assert!(read(routes).is_err(), "{routes}");
        }
        let many: String = (0..=ROUTES).map(|n| format!("/a{n}: /b\n")).collect();
        assert_eq!(read(&many).expect_err("too many"), "more than 1000 routes");
    }
}
