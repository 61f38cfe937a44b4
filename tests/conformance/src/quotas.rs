//! The quotas of a tenant, as its operator writes them.

use std::fs;
use wythe_manifest::{HOST_FILE, Quotas, Terms, load_host_file};

/// Terms of the tenant `default` from the text of `quotas` in a document of `kind: Tenant`.
pub fn terms(quotas: &str) -> Terms {
    let directory = tempfile::tempdir().unwrap();
    let document =
        format!("apiVersion: wythe/v1\nkind: Tenant\nspec: {{ quotas: {{ {quotas} }} }}\n");
    fs::write(directory.path().join(HOST_FILE), document).unwrap();
    let (file, problems) = load_host_file(directory.path());
    let tenant = "default".parse().unwrap();
    let wrong = file.problems_of(&tenant);
    assert!(problems.is_empty() && wrong.is_empty(), "{problems}{wrong}");
    file.terms(&tenant)
}

/// The quotas of such terms.
pub fn quotas(text: &str) -> Quotas {
    terms(text).quotas
}
