//! Files that are made to hurt the reader: it stops where a count of its own ends, and says where that was.

use super::check;

/// The place in `expected` is how far the reader went.
#[track_caller]
fn refused(input: &str, expected: &str) {
    for file in ["wythe.yaml", "resources.yaml"] {
        check(file, input, &format!("{file}{expected}"));
    }
}

#[test]
fn billions_of_values() {
    let mut laughs = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n".to_owned();
    for level in 1..20 {
        let alias = format!("*a{}", level - 1);
        laughs.push_str(&format!(
            "a{level}: &a{level} [{}]\n",
            [alias.as_str(); 9].join(", ")
        ));
    }
    refused(
        &laughs,
        ":6:15: a5[1]: too many values once aliases are written out",
    );
}

#[test]
fn long_texts_by_alias() {
    let text = "x".repeat(400_000);
    let bomb = format!("a: &a {text}\nb: [{}]\n", ["*a"; 1000].join(", "));
    refused(
        &bomb,
        ":2:33: b[7]: too many values once aliases are written out",
    );
}

#[test]
fn an_alias_of_itself() {
    refused(
        "a: &a [*a]\n",
        ":1:8: a[0]: an anchor may not contain its own alias",
    );
}

#[test]
fn deep_nesting() {
    refused(&"[".repeat(200_000), ":1:65: nested deeper than 64 levels");
    refused(
        &"- ".repeat(200_000),
        ":1:129: nested deeper than 64 levels",
    );
    refused(
        &"{a: ".repeat(200_000),
        ":1:257: nested deeper than 64 levels",
    );
    let both = format!("{}{}{}", "- ".repeat(40), "[".repeat(40), "]".repeat(40));
    refused(&both, ":1:106: nested deeper than 64 levels");
}

#[test]
fn large_files() {
    let limit = 1 << 20;
    let largest = format!("#{}\n", " ".repeat(limit - 2));
    check("resources.yaml", &largest, "");
    refused(
        &format!("{largest}\n"),
        ": larger than 1 MiB, which is the most that is read",
    );
    refused(
        &"a,".repeat(limit / 2),
        ":1:1: expected a mapping, found a text",
    );
    refused(
        &format!("[{}]", "a,".repeat(limit / 2 - 1)),
        ":1:500002: [250000]: too many values once aliases are written out",
    );
}

#[test]
fn many_mistakes() {
    let keys: String = (0..60_000)
        .map(|number| format!("kez{number}: 1\n"))
        .collect();
    let (_, problems) = crate::parse_manifest(&keys, "wythe.yaml".as_ref());
    assert_eq!(problems.0.len(), 100);
}

#[test]
fn many_settings() {
    let component = |count: usize| {
        let head = "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: { name: store }\n";
        let settings = (0..count).map(|number| format!("    - {{ name: a{number}, value: 1 }}\n"));
        let settings: String = settings.collect();
        format!("{head}spec:\n  type: state.test\n  metadata:\n{settings}")
    };
    check("a.yaml", &component(1_000), "");
    check(
        "a.yaml",
        &component(1_001),
        "a.yaml:7:5: spec.metadata: 1001 settings; expected at most 1000 in one component",
    );
}

#[test]
fn strange_bytes() {
    for text in [
        "\0",
        "\u{feff}",
        "%YAML 9.9\n---\n",
        "? ",
        ": ",
        "&a",
        "!!binary x",
        "a: \"\\xzz\"",
        "'",
        "\u{85}",
        "...\n",
        "--- |\n",
    ] {
        let _any = crate::parse_manifest(text, "wythe.yaml".as_ref());
        let _any = crate::parse_resources(text, "a.yaml".as_ref());
    }
}
