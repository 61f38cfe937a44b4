//! The shop's pages: plain HTML that works without JavaScript, filled by the other apps.
mod apps;
mod layout;
mod pages;

use apps::Refusal;
use wythe_sdk::http::{self, Request, Response};
use wythe_sdk::wasip2::random::random::get_random_u64;
use wythe_sdk::{Error, Kind, Result};

struct Storefront;

impl http::Handler for Storefront {
    fn handle(mut request: Request) -> Result<Response> {
        let known = request
            .headers()
            .cookie("session")
            .filter(|id| is_session(id))
            .map(str::to_owned);
        let user = known.unwrap_or_else(random_id);
        let response = answer(&mut request, &user).unwrap_or_else(|error| pages::fault(&error));
        // Two days from the last visit, as the cart is kept from its last change.
        let cookie = format!("session={user}; Path=/; Max-Age=172800; HttpOnly; SameSite=Lax");
        Ok(response.with_header("set-cookie", cookie))
    }
}

fn answer(request: &mut Request, user: &str) -> Result<Response> {
    let segments = request.segments();
    let segments: Vec<_> = segments.iter().map(String::as_str).collect();
    let method = if request.method() == "HEAD" {
        "GET"
    } else {
        request.method()
    };
    match (method, segments.as_slice()) {
        ("GET", []) => home(request.query().get("search").unwrap_or_default()),
        ("GET", ["products", id]) => Ok(pages::product(&apps::product(id)?)),
        ("GET", ["cart"]) => Ok(pages::cart(&apps::cart(user)?)),
        ("POST", ["cart"]) => {
            let form = request.form()?;
            let quantity = form.number("quantity").unwrap_or(1);
            apps::add(user, form.get("product").unwrap_or_default(), quantity)?;
            Ok(Response::redirect("/cart"))
        }
        ("POST", ["cart", "empty"]) => {
            apps::empty(user)?;
            Ok(Response::redirect("/cart"))
        }
        ("GET", ["checkout"]) => checkout(user),
        ("POST", ["checkout"]) => place(request, user),
        ("GET", ["orders", id, "receipt"]) => Ok(Response::text(apps::receipt(user, id)?)),
        ("GET", ["orders", id]) => Ok(pages::order(&apps::order(user, id)?)),
        _ => Err(Error::not_found(format!(
            "there is no page {}",
            request.path()
        ))),
    }
}

fn home(search: &str) -> Result<Response> {
    Ok(pages::home(&apps::products(search)?, search))
}

/// A new form has a new order id, so that the form sent twice is one order.
fn checkout(user: &str) -> Result<Response> {
    let (items, order) = (apps::cart(user)?, random_id());
    let (untyped, unrefused) = (http::Query::default(), Refusal::default());
    Ok(pages::checkout(&items, &order, &untyped, &unrefused))
}

/// The order's page is another request, so that a reload there does not send the form again.
fn place(request: &mut Request, user: &str) -> Result<Response> {
    let form = request.form()?;
    match apps::place(user, &form)? {
        Ok(order) => Ok(Response::redirect(&format!(
            "/orders/{}",
            http::encode(&order.id)
        ))),
        Err(refusal) => {
            // An order that was refused stays refused; what is sent next is another one.
            let order = random_id();
            Ok(pages::checkout(&apps::cart(user)?, &order, &form, &refusal).with_status(422))
        }
    }
}

fn random_id() -> String {
    format!("{:016x}{:016x}", get_random_u64(), get_random_u64())
}

/// Accepts the ids that this app hands out, and nothing else: an id becomes part of a path.
fn is_session(id: &str) -> bool {
    id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Returns whether a page may say what the error says, or only that there is one.
fn is_the_callers(error: &Error) -> bool {
    matches!(
        error.kind(),
        Kind::NotFound | Kind::Invalid | Kind::Conflict
    )
}

wythe_sdk::serve!(Storefront);
