//! The front of a project, and the handlers of its requests, as they are written.

use super::*;
use crate::Origins;

const HEAD: &str = "version: 1\nname: shop\napps: []\n";

/// The problems of these lines of a manifest.
fn problems(text: &str) -> String {
    let (_, problems) = parse_manifest(&format!("{HEAD}{text}"), Path::new("wythe.yaml"));
    problems.to_string()
}

#[test]
fn origins_are_named_or_all() {
    for (written, named, other) in [
        ("['*']", true, true),
        ("[https://A.example]", true, false),
        ("['http://[::1]:8080', https://a.example]", true, false),
    ] {
        let text = format!("{HEAD}cors: {{ allowedOrigins: {written} }}\n");
        let (manifest, problems) = parse_manifest(&text, Path::new("wythe.yaml"));
        assert!(problems.is_empty(), "{problems}");
        let cors = manifest
            .and_then(|manifest| manifest.cors)
            .expect("origins");
        assert_eq!(cors.origins.allow("https://a.example"), named, "{written}");
        assert_eq!(cors.origins.allow("https://b.example"), other, "{written}");
        assert_eq!(cors.origins == Origins::Any, other);
    }
}

#[test]
fn origins_that_are_none_are_errors() {
    for (written, expected) in [
        (
            "{ allowedOrigins: ['*'], allowCredentials: true }",
            "wythe.yaml:4:7: cors: `allowCredentials` with the origin `*` would let every page act for whoever looks at it; name the origins",
        ),
        (
            "{ allowedOrigins: ['*', https://a.example] }",
            "wythe.yaml:4:26: cors.allowedOrigins[0]: expected an origin such as `https://shop.example.com`, without a path, or `*` alone, found `*`",
        ),
        (
            "{ allowedOrigins: [https://a.example/] }",
            "wythe.yaml:4:26: cors.allowedOrigins[0]: expected an origin such as `https://shop.example.com`, without a path, or `*` alone, found `https://a.example/`",
        ),
        (
            "{ allowedOrigins: [''] }",
            "wythe.yaml:4:26: cors.allowedOrigins[0]: expected a text, found an empty one",
        ),
        (
            "{}",
            "wythe.yaml:4:7: cors: missing `allowedOrigins`: a list of origins, such as `https://shop.example.com`",
        ),
    ] {
        assert_eq!(problems(&format!("cors: {written}\n")), expected);
    }
}

#[test]
fn a_token_is_in_a_variable() {
    assert_eq!(problems("apiToken: { env: SHOP_TOKEN }\n"), "");
    let written = problems("apiToken: secret\n");
    assert_eq!(
        written,
        "wythe.yaml:4:11: apiToken: expected a mapping, found a text"
    );
}

const WAY: &str = "apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: { name: way }\nspec:\n  httpPipeline:\n    handlers:\n";

#[test]
fn handlers_that_are_none_are_errors() {
    for (written, expected) in [
        (
            "    - { name: a, type: bearer }\n",
            "a.yaml:7:24: spec.httpPipeline.handlers[0].type: expected a type that begins with `middleware.http.`, such as `middleware.http.bearer`, found `bearer`",
        ),
        (
            "    - { type: middleware.http.bearer }\n",
            "a.yaml:7:7: spec.httpPipeline.handlers[0]: missing `name`: the component that handles requests",
        ),
        (
            "    - { name: a, type: middleware.http.bearer, selector: { fields: [{ field: a, value: b }] } }\n",
            "a.yaml:7:58: spec.httpPipeline.handlers[0].selector: not enforced: a handler runs for every request; leave it out",
        ),
    ] {
        let (_, problems) = parse_resources(&format!("{WAY}{written}"), Path::new("a.yaml"));
        assert_eq!(problems.to_string(), expected);
    }
    let many = "    - { name: a, type: middleware.http.bearer }\n".repeat(33);
    let (_, problems) = parse_resources(&format!("{WAY}{many}"), Path::new("a.yaml"));
    assert!(
        problems.to_string().contains("more than 32 handlers"),
        "{problems}"
    );
}

#[test]
fn one_document_has_the_handlers_of_a_tenant() {
    let one = format!("{WAY}    - {{ name: a, type: middleware.http.bearer }}\n");
    let (_, problems) = parse_resources(&format!("{one}---\n{one}"), Path::new("a.yaml"));
    assert_eq!(
        problems.to_string(),
        "a.yaml:9:1: spec.httpPipeline: there are handlers already in a.yaml:1; write all of them there, in the order in which they run"
    );
    let scoped = format!("{one}scopes: [cart]\n");
    let (_, problems) = parse_resources(&scoped, Path::new("a.yaml"));
    assert!(
        problems.to_string().contains("is for all apps"),
        "{problems}"
    );
}
