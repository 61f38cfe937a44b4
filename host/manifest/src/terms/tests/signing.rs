//! Keys that must have signed what a tenant runs.

use super::{problems_of, read};
use crate::terms::{SigningKeys, Terms, Unsigned};
use crate::{Same, parse_manifest};
use std::path::Path;

const ONE: &str = "RWRw4l/h70PvgIWnrgadAVQom7DTq7M1OBlDEGuU/y1eJz7hTFiAl3a7";
const OTHER: &str = "RWRniw3+ItFI+Py6USMyrYUjRjJ/gNOg+gx4P4XtRcmL1SBZlU66HYoD";

/// A document of a tenant with what it says of keys.
fn document(tenant: &str, written: &str) -> String {
    format!(
        "apiVersion: wythe/v1\nkind: Tenant\nmetadata: {{ name: '{tenant}' }}\nspec:\n  signingKeys:{written}\n"
    )
}

fn terms(text: &str, tenant: &str) -> Terms {
    let (file, problems) = read(text);
    assert_eq!(problems, [] as [&str; 0]);
    assert_eq!(problems_of(&file, tenant), [] as [&str; 0]);
    file.terms(&tenant.parse().unwrap())
}

#[test]
fn a_tenants_own_keys_stand_in_place_of_those_of_all() {
    let all = document("*", &format!(" [{ONE}, {OTHER}]"));
    let text = format!("{all}---\n{}", document("shop", &format!(" [{OTHER}]")));
    let count = |tenant: &str| terms(&text, tenant).signing_keys.unwrap().entries.len();
    assert_eq!((count("shop"), count("bank")), (1, 2));
    assert!(terms("", "shop").signing_keys.is_none());
}

#[test]
fn no_list_without_a_key_means_that_nothing_need_be_signed() {
    for (written, expected) in [
        (
            " []",
            [
                "5:16: spec.signingKeys: expected keys, found none; leave `signingKeys` out where nothing need be signed",
            ],
        ),
        (
            "",
            ["5:14: spec.signingKeys: expected a list, found nothing"],
        ),
        (
            " ~",
            ["5:16: spec.signingKeys: expected a list, found nothing"],
        ),
        (
            " no",
            ["5:16: spec.signingKeys: expected a list, found a text"],
        ),
    ] {
        let (file, _) = read(&document("shop", written));
        let expected = expected.map(|problem| format!("wythe-host.yaml:{problem}"));
        assert_eq!(problems_of(&file, "shop"), expected, "{written}");
        assert_eq!(problems_of(&file, "bank"), [] as [&str; 0]);
    }
}

#[test]
fn what_is_no_public_key_is_not_shown() {
    let secret = "RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==";
    for wrong in [
        secret,
        "'untrusted comment: minisign public key 80EF43EFE15FE270'",
        &ONE[..55],
        &format!("{ONE}A"),
        &ONE.replace("RW", "SW"),
    ] {
        let (file, _) = read(&document("shop", &format!("\n  - {ONE}\n  - {wrong}")));
        assert_eq!(
            problems_of(&file, "shop"),
            [
                "wythe-host.yaml:7:5: spec.signingKeys[1]: not a public key of minisign; expected the second line of its file `.pub`, which begins with `RW`"
            ]
        );
    }
}

#[test]
fn keys_are_few() {
    let list = |count: usize| format!(" [{}]", vec![ONE; count].join(", "));
    terms(&document("shop", &list(16)), "shop");
    let (file, _) = read(&document("shop", &list(17)));
    assert_eq!(
        problems_of(&file, "shop"),
        ["wythe-host.yaml:5:16: spec.signingKeys: expected at most 16 keys, found 17"]
    );
}

#[test]
fn apps_have_the_keys_of_their_tenant_and_are_others_by_other_keys() {
    let one = terms(&document("shop", &format!(" [{ONE}]")), "shop");
    let moved = format!("# a word\n{}", document("shop", &format!("\n  - {ONE}")));
    let (moved, without) = (terms(&moved, "shop"), terms("", "shop"));
    let other = terms(&document("shop", &format!(" [{OTHER}]")), "shop");
    let text = "version: 1\napps: [{ appID: a, guest: a.wasm }]\n";
    let app = |terms: &Terms| {
        let (manifest, _) = parse_manifest(text, Path::new("shop/wythe.yaml"));
        let mut manifest = manifest.unwrap();
        assert!(terms.apply(&mut manifest).is_empty());
        manifest.apps.remove(0)
    };
    assert_eq!(app(&one).signing_keys.unwrap().entries.len(), 1);
    assert!(one.is_same(&moved) && one.has_same_keys(&moved) && app(&one).is_same(&app(&moved)));
    for changed in [&without, &other] {
        assert!(!one.is_same(changed) && !one.has_same_keys(changed));
        assert!(!app(&one).is_same(&app(changed)));
        assert!(one.leaves_open(changed), "only plugins are opened again");
    }
}

#[test]
fn a_signature_that_is_damaged_anywhere_is_none() {
    let terms = terms(&document("shop", &format!(" [{OTHER}, {ONE}]")), "shop");
    let keys: &SigningKeys = terms.signing_keys.as_ref().unwrap();
    let signature = "untrusted comment: signature from minisign secret key
RURw4l/h70PvgEju3to1G0GZrrknraiNaV1NFAxvRoYNZaSTj2Kc7WMpq0oHd+P5IhpKvkDxrPEwPmz01Qcnl+0cTPRKMkH8mgY=
trusted comment: shop 1
b17siRqdnsrGrv7RpzW+O9dmTDMG1B9NWoLghzuKhZHnCxGiOpcd6Qv0Z4k8WsRqwttZZxyLahiTydVcEPDBAg==
";
    let bytes = b"bytes of a component";
    assert_eq!(keys.check(bytes, signature.as_bytes()), Ok(()));
    let comment = signature.find('\n').unwrap();
    for index in comment..signature.len() - 1 {
        let mut damaged = signature.as_bytes().to_vec();
        damaged[index] ^= 1;
        assert!(keys.check(bytes, &damaged).is_err(), "{index}");
        let cut = &signature.as_bytes()[..index];
        assert_eq!(keys.check(bytes, cut), Err(Unsigned::Malformed), "{index}");
    }
}
