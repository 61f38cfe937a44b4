//! Other names for the paths of strangers, as a target of the fuzzer.

use super::*;
use crate::fuzzing::line;

/// A line that is the target of a request, and routes as they are written.
pub fn alias(data: &[u8]) {
    let (target, routes) = line(data);
    let (Ok(uri), Ok(text)) = (Uri::try_from(target), std::str::from_utf8(routes)) else {
        return;
    };
    let Ok(alias) = read(text) else {
        return;
    };
    let written: BTreeMap<String, String> = serde_saphyr::from_str(text).expect("it was read");
    let Some(found) = alias.target(uri.path(), uri.query()) else {
        assert!(!written.contains_key(uri.path()));
        return;
    };
    let found: Uri = found.parse().expect("the target of a request");
    // A stranger says nothing of the path.
    let mut paths = written.values().filter_map(|one| one.split('?').next());
    assert!(paths.any(|path| path == found.path()), "{found}");
    assert_eq!(wrong_with_path(found.path()), None);
    let query = found.query().unwrap_or_default();
    let asked = uri.query().unwrap_or_default();
    assert!(query.contains(asked), "{found}");
    // What is beside the query of the request is that of a target, and a value for each variable.
    let pairs = |query: &str| query.matches('&').count() + usize::from(!query.is_empty());
    let max = written.iter().map(|(path, target)| {
        let own = target.split_once('?').map_or("", |(_, query)| query);
        pairs(own) + path.matches('{').count()
    });
    let max = max.max().unwrap_or_default();
    assert!(pairs(query) <= pairs(asked) + max + 1, "{found}");
}
