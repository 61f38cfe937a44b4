//! Passwords that others can read: the operator is warned, by `validate` and at a start.

use std::path::Path;
use std::sync::Arc;
use wythe_blocks::{Checked, Registry, Settings, Shared, Tenant};

/// A host with the component `post` that has these settings, not open yet.
pub(super) async fn checked(pairs: &[(&str, &str)]) -> (Arc<Tenant>, Checked) {
    let line =
        |(name, value): &(&str, &str)| format!("    - {{ name: {name}, value: \"{value}\" }}\n");
    let lines: String = pairs.iter().map(line).collect();
    let text = format!(
        "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{ name: post }}\nspec:\n  type: bindings.smtp\n  \
         version: v1\n  metadata:\n{lines}"
    );
    let (resources, problems) = wythe_manifest::parse_resources(&text, Path::new("post.yaml"));
    assert!(problems.is_empty(), "{problems}");
    let mut registry = Registry::default();
    crate::register(&mut registry);
    let settings = Settings::new("default".parse().unwrap(), "nowhere");
    let host = Tenant::new(settings, &Shared::default());
    let checking = host.check(&registry, &resources.components);
    let (checked, problems) = checking.await;
    assert!(problems.is_empty(), "{problems:?}");
    (host, checked)
}

/// The warnings of a component with these settings, each with its line.
async fn warned(pairs: &[(&str, &str)]) -> Vec<String> {
    let (_, checked) = checked(pairs).await;
    let reported = checked.warnings.iter().map(|warning| {
        let position = warning.position().unwrap();
        format!("{}: {}", position.line, warning.message())
    });
    reported.collect()
}

#[tokio::test]
async fn a_password_in_clear_is_warned_of() {
    let own = [("host", "post.example"), ("port", "25")];
    let login = [("user", "ann"), ("password", "hidden")];
    let clear = "component `post`: `tls: none` sends `user` and `password` in clear: whoever is on the way to \
                 `post.example` can read them";
    let any = "component `post`: `skipTLSVerify` gives `user` and `password` to any certificate: whoever is on the way \
               to `post.example` can read them";
    let none = [("tls", "none")];
    let skip = [("skipTLSVerify", "true")];
    for (more, expected) in [
        ([&none[..], &login].concat(), vec![format!("10: {clear}")]),
        ([&skip[..], &login].concat(), vec![format!("10: {any}")]),
        (
            [&none[..], &skip, &login].concat(),
            vec![format!("10: {clear}")],
        ),
        (login.to_vec(), vec![]),
        (none.to_vec(), vec![]),
        (skip.to_vec(), vec![]),
    ] {
        let settings = [&own[..], &more].concat();
        assert_eq!(warned(&settings).await, expected, "{settings:?}");
    }
}

#[tokio::test]
async fn on_this_machine_nobody_is_between() {
    for (host, count) in [
        ("127.0.0.1", 0),
        ("127.8.8.8", 0),
        ("::1", 0),
        ("::ffff:127.0.0.1", 0),
        ("LocalHost", 0),
        ("10.0.0.1", 1),
        ("localhost.example", 1),
    ] {
        let settings = [
            ("host", host),
            ("port", "25"),
            ("tls", "none"),
            ("user", "ann"),
            ("password", "hidden"),
        ];
        assert_eq!(warned(&settings).await.len(), count, "{host}");
    }
}
