//! The forms of the dashboard, as a target of the fuzzer: each is one command that reads back as it is, and leads to a page of
//! the dashboard.

use super::*;
use crate::{
    admin::wire::Path,
    dashboard::{
        desk::Ask,
        gate::{Gate, check_form},
        link::Fields,
        tenant_of,
    },
    fuzzing::line,
};
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderValue, header};

const BASE: &str = "/key/";
const TOKEN: &str = "token";

/// The host, which a form that is only read does not reach.
struct Nobody;

impl Ask for Nobody {
    fn ask(&self, _: Option<String>, _: Command) -> BoxFuture<'_, Result<Answer>> {
        panic!("nobody is asked");
    }
}

/// A line that is a path behind the gate, such as `t/shop/do/publish`, and the fields of a form.
pub fn form(data: &[u8]) {
    let (path, body) = line(data);
    let fields = || Fields::new(body);
    fields_again(&fields());
    let gate = Gate::new(TOKEN, Vec::new()).expect("a gate");
    let given = fields().text("token");
    assert_eq!(gate.enter(&given).is_ok(), given == TOKEN);
    let mut cookies = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_bytes(path) {
        cookies.insert(header::COOKIE, value);
    }
    assert!(
        gate.visitor(&cookies).is_none(),
        "a cookie that was guessed"
    );
    let cookie = gate.enter(TOKEN).expect("the token");
    cookies.insert(header::COOKIE, cookie);
    let visitor = gate.visitor(&cookies).expect("a session");
    assert!(check_form(&visitor, &fields().text("form")).is_err());
    let Some((tenant, rest)) = std::str::from_utf8(path).ok().and_then(tenant_of) else {
        return;
    };
    let desk = Desk {
        host: &Nobody,
        base: BASE,
        visitor: &visitor,
        tenant: tenant.clone(),
        query: fields(),
    };
    let action = rest.strip_prefix("do/").unwrap_or(rest);
    let Ok((command, back)) = command(&desk, action) else {
        return;
    };
    command_again(&command);
    let back = back.as_str();
    assert!(HeaderValue::from_str(back).is_ok() && !back.contains(['"', '<', '\\']));
    let rest = back.strip_prefix(BASE).expect("a page of the dashboard");
    let (own, _) = tenant_of(rest).expect("a page of a tenant");
    assert_eq!(own, tenant);
}

/// A command is a request of the control API, and that request is the command.
fn command_again(command: &Command) {
    let (_, path, body) = command.request().expect("a command is a request");
    let known = Path::find(&path).expect("a path of the API");
    let again = known.command(&body).expect("its own fields");
    let again = again.request().expect("a command is a request");
    assert_eq!((again.1, again.2), (path, body));
}

/// Fields as a link has them are the same fields.
fn fields_again(fields: &Fields) {
    let link = Link::of_tenant(BASE, "shop", "page");
    let link = fields
        .but("")
        .fold(link, |link, (name, value)| link.with(name, value));
    let query = link.as_str().split_once('?').map_or("", |(_, query)| query);
    let again = Fields::new(query.as_bytes());
    assert!(again.but("").eq(fields.but("")));
    for (name, _) in fields.but("") {
        assert_eq!(again.get(name), fields.get(name));
    }
}
