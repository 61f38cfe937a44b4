//! Connections that go on while certificates end and authorities are others.

use super::*;
use crate::tls::{
    authority::Authority,
    standing::{Checked, Shown, Standing},
    trust::Trust,
};
use tokio_rustls::rustls::{pki_types::UnixTime, server::danger::ClientCertVerifier};

/// Seconds from 1970 to the first of January of a year, or up to a day more.
fn year(year: u64) -> UnixTime {
    let days = (year - 1970) * 365 + (year - 1969) / 4 + 1;
    UnixTime::since_unix_epoch(Duration::from_secs(days * 86_400))
}

/// Certificates of authorities in one file: the first one ends in 2074, the other one in 2124.
fn both(directory: &Path) -> PathBuf {
    let path = directory.join("both.pem");
    let files = ["early.pem", "clients.pem"].map(|name| fs::read(file(name)).unwrap());
    fs::write(&path, files.concat()).unwrap();
    path
}

fn trust(path: PathBuf) -> Arc<Trust> {
    let read = Authority::read(&clients::authority(path, true));
    read.trust().expect("an authority").clone()
}

#[test]
fn an_authority_that_has_ended_vouches_for_nobody() {
    let place = tempfile::tempdir().unwrap();
    let trust = trust(both(place.path()));
    let is_let_in = |name: &str, at: u64| {
        let checked = trust.verify_client_cert(&certificate(name), &[], year(at));
        checked.map(drop).map_err(|error| error.to_string())
    };
    let nobody = "invalid peer certificate: UnknownIssuer";
    for (at, lasting, partner) in [
        (2030, Ok(()), Ok(())),
        (2080, Err(nobody), Ok(())),
        // A clock that is put right changes it back.
        (2060, Ok(()), Ok(())),
        (2200, Err(nobody), Err(nobody)),
    ] {
        let own = |found: Result<(), &str>| found.map_err(str::to_owned);
        assert_eq!(is_let_in("lasting", at), own(lasting), "{at}");
        assert_eq!(is_let_in("partner", at), own(partner), "{at}");
    }
    assert_eq!(trust.ended(year(2060)), 0);
    assert_eq!(trust.ended(year(2080)), 1);
    assert_eq!(trust.ended(year(2200)), 2);
}

/// The standing of a connection to the shop by a client with this certificate, or with none, whose whole handshake was in this
/// year, or that goes on with a session of before.
fn standing(house: &House, own: Option<&str>, shaken: Option<u64>) -> Standing {
    let (certificates, owner) = (house.certificates.clone(), tenant("shop"));
    let asked = certificates.asked(Some(&owner)).expect("a configuration");
    let shown = own.map(|name| {
        let checked = asked.trust.as_ref();
        let checked = checked.zip(shaken);
        let checked = checked.map(|(trust, at)| Checked::by_handshake(trust, year(at)));
        Shown::new(&[certificate(name)], asked.is_own, checked).expect("certificates")
    });
    Standing::new(certificates, Some(owner), shown)
}

#[tokio::test]
async fn a_connection_stands_no_longer_than_its_certificate_and_its_authority() {
    let place = tempfile::tempdir().unwrap();
    let of_shop = clients::authority(both(place.path()), true);
    let house = House::open(None, &[("shop", of_shop)]).await;
    for (own, years) in [
        // Its own end, and that of its authority.
        ("brief", [true, false, false, false]),
        ("lasting", [true, true, false, false]),
        ("partner", [true, true, true, false]),
    ] {
        let standing = standing(&house, Some(own), Some(2026));
        for (year_asked, expected) in [2030, 2060, 2080, 2200].into_iter().zip(years) {
            assert_eq!(
                standing.holds(year(year_asked)),
                expected,
                "{own} {year_asked}"
            );
        }
    }
    // What a session brings is checked when it goes on.
    for (own, expected) in [("lasting", false), ("partner", true)] {
        let resumed = standing(&house, Some(own), None);
        assert_eq!(resumed.holds(year(2080)), expected, "{own}");
    }
    let stranger = standing(&house, Some("stranger"), None);
    assert!(!stranger.holds(year(2030)));
    assert!(!standing(&house, None, None).holds(year(2030)));
    house.close().await;
}

#[tokio::test]
async fn a_request_over_a_connection_of_before_is_judged_by_the_authority_of_now() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("clients.pem");
    for is_required in [true, false] {
        fs::copy(file("clients.pem"), &path).unwrap();
        let of_shop = [("shop", clients::authority(path.clone(), is_required))];
        let house = House::open(None, &of_shop).await;
        let look = || {
            house
                .certificates
                .look((&pair("host"), None), tls(&of_shop))
        };
        let known = client(Some("partner"), &BOTH);
        let mut early = house.connect(&known, SHOP).await.unwrap();
        for _ in 0..2 {
            // A file that is written anew and has the same authority changes nothing.
            let said = ask(&mut early, "shop.example.org/").await;
            assert_eq!(said, some(SHOP_NAME));
            fs::copy(file("clients.pem"), &path).unwrap();
            tokio::time::sleep(Duration::from_millis(200)).await;
            assert!(look().is_empty());
        }
        fs::copy(file("others.pem"), &path).unwrap();
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(look().is_empty());
        let said = ask(&mut early, "shop.example.org/").await;
        assert_eq!(said, some("421"), "{is_required}");
        // The connection is over then.
        assert_eq!(ask(&mut early, "shop.example.org/").await, None);
        house.close().await;
    }
}

#[tokio::test]
async fn an_authority_that_comes_or_goes_ends_connections_of_before() {
    let (of_host, of_shop) = (
        authority("others.pem", true),
        authority("clients.pem", false),
    );
    let house = House::open(None, &[("shop", of_shop.clone())]).await;
    let look = |of_host: Option<&ClientAuthority>, of_tenants: &Wanted| {
        let problems = house
            .certificates
            .look((&pair("host"), of_host), tls(of_tenants));
        assert!(problems.is_empty(), "{problems:?}");
    };
    let open = async |own: Option<&str>, sni: &str| {
        let known = client(own, &BOTH);
        house.connect(&known, sni).await.expect("a connection")
    };
    let mut unnamed = open(None, "localhost").await;
    let mut guest = open(None, SHOP).await;
    assert_eq!(ask(&mut unnamed, "localhost/plain/").await, some(""));
    // The host asks for certificates from now on, and the shop has an authority of its own.
    let of_tenants = [("shop", of_shop)];
    look(Some(&of_host), &of_tenants);
    assert_eq!(ask(&mut unnamed, "localhost/plain/").await, some("421"));
    assert_eq!(ask(&mut unnamed, "localhost/plain/").await, None);
    assert_eq!(ask(&mut guest, "shop.example.org/").await, some(""));
    let mut stranger = open(Some("stranger"), "localhost").await;
    let said = ask(&mut stranger, "localhost/plain/").await;
    assert_eq!(said, some(STRANGER));
    // Without the authority of the shop, the host's has a word about its clients.
    let mut partner = open(Some("partner"), SHOP).await;
    assert_eq!(
        ask(&mut partner, "shop.example.org/").await,
        some(SHOP_NAME)
    );
    look(Some(&of_host), &[]);
    for early in [&mut partner, &mut guest] {
        assert_eq!(ask(early, "shop.example.org/").await, some("421"));
    }
    look(None, &[]);
    let said = ask(&mut stranger, "localhost/plain/").await;
    assert_eq!(said, some("421"));
    house.close().await;
}

#[tokio::test]
async fn a_tenant_whose_word_is_not_in_force_yet_is_behind_the_host_s_authority() {
    let of_host = authority("others.pem", true);
    let of_shop = [("shop", authority("clients.pem", false))];
    let house = House::open(Some(&of_host), &of_shop).await;
    // The files are those of the tenant's new terms, and its routes still those of the ones before.
    enter(&house.host, "shop", Some(SHOP), KnownBy::Host);
    for own in [None, Some("partner")] {
        let said = house.said(own, SHOP, "shop.example.org/").await;
        assert_eq!(said, some("421"), "{own:?}");
    }
    house.close().await;
}
