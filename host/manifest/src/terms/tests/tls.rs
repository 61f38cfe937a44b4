//! HTTPS as an operator writes it, of the host and of tenants.

use super::*;

#[test]
fn certificates_are_files_beside_the_operators() {
    let text = "\
apiVersion: wythe/v1
kind: Host
spec:
  tls: { listen: 0.0.0.0:8443, certificate: ./host.pem, key: /etc/host.key }
---
apiVersion: wythe/v1
kind: Tenant
spec:
  hosts: ['{tenant}.example.com']
  tls: { certificate: '{tenant}/own.pem', key: '.keys/{tenant}.key' }
---
apiVersion: wythe/v1
kind: Tenant
metadata: { name: shop }
spec: { tls: { certificate: ../shop.pem, key: shop.key } }
";
    let (file, problems) = parse(text, Path::new("root/wythe-host.yaml"));
    assert!(problems.is_empty(), "{problems}");
    let host = file.tls.as_ref().unwrap();
    assert_eq!(host.listen.0, "0.0.0.0:8443");
    assert_eq!(host.files.certificate, Path::new("root/host.pem"));
    assert_eq!(host.files.key, Path::new("/etc/host.key"));
    assert_eq!((host.files.source.line, host.files.source.column), (4, 8));
    for (tenant, certificate, key) in [
        ("shop", "root/../shop.pem", "root/shop.key"),
        ("bank", "root/bank/own.pem", "root/.keys/bank.key"),
    ] {
        assert_eq!(problems_of(&file, tenant), [] as [&str; 0]);
        let own = file.terms(&tenant.parse().unwrap()).tls;
        let own = own.files.unwrap();
        assert_eq!(own.certificate, Path::new(certificate));
        assert_eq!(own.key, Path::new(key));
    }
    // A certificate is not the tenant's business.
    let without = "kind: Tenant\nspec: { hosts: ['{tenant}.example.com'] }\n";
    let (without, _) = read(&format!("apiVersion: wythe/v1\n{without}"));
    let terms = |file: &HostFile| file.terms(&"bank".parse().unwrap());
    assert!(terms(&file).is_same(&terms(&without)));
}

#[test]
fn what_is_wrong_about_tls_is_told_with_its_line() {
    let host = "apiVersion: wythe/v1\nkind: Host\nspec: { tls: ";
    for (written, expected) in [
        (
            "{ listen: 1, certificate: a, key: b, keys: c }",
            "wythe-host.yaml:3:51: spec.tls.keys: unknown key; expected one of `listen`, `certificate`, `key`, `clientCa`, `clientCertificates`; did you mean `key`?",
        ),
        (
            "{ certificate: a, key: b }",
            "wythe-host.yaml:3:14: spec.tls: missing `listen`: the address for HTTPS",
        ),
        (
            "{ listen: 1, certificate: a }",
            "wythe-host.yaml:3:14: spec.tls: missing `key`: the file of its private key, PEM",
        ),
        (
            "{ listen: 1, certificate: '', key: b }",
            "wythe-host.yaml:3:40: spec.tls.certificate: expected a text, found an empty one",
        ),
    ] {
        let (_, problems) = read(&format!("{host}{written} }}\n"));
        assert_eq!(problems, [expected]);
    }
    let tenant =
        "kind: Tenant\nmetadata: { name: shop }\nspec:\n  tls: { certificate: a, key: b }\n";
    let tenant = format!("apiVersion: wythe/v1\n{tenant}");
    let (file, _) = read(&tenant);
    assert_eq!(
        problems_of(&file, "shop"),
        [
            "wythe-host.yaml:5:8: spec.tls: no HTTPS is answered; write `tls` in the document of `kind: Host` as well"
        ]
    );
    let (file, _) = read(&format!(
        "{host}{{ listen: 1, certificate: a, key: b }} }}\n---\n{tenant}"
    ));
    assert_eq!(
        problems_of(&file, "shop"),
        [
            "wythe-host.yaml:9:8: spec.tls: a certificate is chosen by host name; write `hosts` as well"
        ]
    );
    assert_eq!(problems_of(&file, "bank"), [] as [&str; 0]);
}

/// A file with HTTPS, a document of all tenants, and one of `shop`.
fn with_tls(all: &str, shop: &str) -> (HostFile, Vec<String>) {
    let head = "apiVersion: wythe/v1\nkind: ";
    read(&format!(
        "{head}Host\nspec: {{ tls: {{ listen: 1, certificate: a, key: b }} }}\n---\n\
         {head}Tenant\nspec: {{ hosts: ['{{tenant}}.example.com'], {all} }}\n---\n\
         {head}Tenant\nmetadata: {{ name: shop }}\nspec: {{ {shop} }}\n"
    ))
}

#[test]
fn a_tenant_has_an_authority_of_its_clients_own_or_that_of_all_tenants() {
    let all = "tls: { clientCa: '{tenant}/clients.pem', certificate: a.pem, key: a.key }";
    let shop = "tls: { clientCa: .keys/shop.pem, clientCertificates: optional }";
    let (file, problems) = with_tls(all, shop);
    assert_eq!(problems, [] as [&str; 0]);
    for (tenant, path, is_required, line) in [
        ("shop", ".keys/shop.pem", false, 12),
        ("bank", "bank/clients.pem", true, 7),
    ] {
        assert_eq!(problems_of(&file, tenant), [] as [&str; 0]);
        let own = file.terms(&tenant.parse().unwrap()).tls;
        let clients = own.clients.unwrap();
        let found = (clients.file.as_path(), clients.is_required);
        assert_eq!(found, (Path::new(path), is_required));
        assert_eq!(clients.source.line, line);
        // The pair of all tenants is that of one that writes none.
        assert_eq!(own.files.unwrap().certificate, Path::new("a.pem"));
    }
    // Whose file it is is the host's business, and whether clients have to show a certificate the tenant's, too.
    let terms = |all: &str, shop: &str| with_tls(all, shop).0.terms(&"shop".parse().unwrap());
    let required = terms("", "tls: { clientCa: a.pem }");
    assert!(required.is_same(&terms("tls: { clientCa: b.pem }", "")));
    for other in [
        "",
        "tls: { clientCa: a.pem, clientCertificates: optional }",
        "tls: { certificate: a, key: b }",
    ] {
        assert!(!required.is_same(&terms("", other)), "{other}");
    }
}

#[test]
fn what_is_wrong_about_the_authority_of_a_tenant_is_told_with_its_line() {
    for (shop, expected) in [
        (
            "tls: { clientCa: '' }",
            "wythe-host.yaml:12:26: spec.tls.clientCa: expected a text, found an empty one",
        ),
        (
            "tls: { clientCa: a, clientCertificates: never }",
            "wythe-host.yaml:12:49: spec.tls.clientCertificates: expected `required` or `optional`, found `never`",
        ),
        (
            "tls: { clientCa: a, key: b }",
            "wythe-host.yaml:12:14: spec.tls: missing `certificate`: the file of the certificate, PEM",
        ),
        (
            "tls: { certificate: a, key: b, clientCertificates: optional }",
            "wythe-host.yaml:12:60: spec.tls.clientCertificates: no certificate can be checked; write `clientCa` beside it, the file of who signs them",
        ),
        (
            "hosts: [], tls: { clientCa: a }",
            "wythe-host.yaml:12:37: spec.tls.clientCa: a certificate is chosen by host name; write `hosts` as well",
        ),
        (
            "path: true, tls: { clientCa: a }",
            "wythe-host.yaml:12:38: spec.tls.clientCa: clients that ask by `/shop/` show no certificate to this authority; leave `path: true` out, or write `clientCertificates: optional`",
        ),
    ] {
        let (file, problems) = with_tls("", shop);
        assert_eq!(problems, [] as [&str; 0]);
        assert_eq!(problems_of(&file, "shop"), [expected], "{shop}");
        assert_eq!(problems_of(&file, "bank"), [] as [&str; 0]);
    }
    let open = "path: true, tls: { clientCa: a, clientCertificates: optional }";
    let (file, _) = with_tls("", open);
    assert_eq!(problems_of(&file, "shop"), [] as [&str; 0]);
    let (alone, _) = read(
        "apiVersion: wythe/v1\nkind: Tenant\nmetadata: { name: shop }\nspec: { hosts: [a.example], tls: { clientCa: a } }\n",
    );
    assert_eq!(
        problems_of(&alone, "shop"),
        [
            "wythe-host.yaml:4:46: spec.tls.clientCa: no HTTPS is answered; write `tls` in the document of `kind: Host` as well"
        ]
    );
}
