//! The quotas of a tenant, as its operator writes them.

use std::fs;
use wythe_manifest::{HOST_FILE, Quotas, load_host_file};

/// Quotas from the text of `quotas` in a document of `kind: Tenant`.
pub fn quotas(text: &str) -> Quotas {
    let directory = tempfile::tempdir().unwrap();
    let document =
        format!("apiVersion: wythe/v1\nkind: Tenant\nspec: {{ quotas: {{ {text} }} }}\n");
    fs::write(directory.path().join(HOST_FILE), document).unwrap();
    let (file, problems) = load_host_file(directory.path());
    let tenant = "default".parse().unwrap();
    let wrong = file.problems_of(&tenant);
    assert!(problems.is_empty() && wrong.is_empty(), "{problems}{wrong}");
    file.terms(&tenant).quotas
}
