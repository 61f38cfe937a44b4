//! Middleware by Dapr's names: each looks at a request, and lets it pass, changes it, or refuses it.

pub(crate) mod bearer;
mod client;
mod oauth2;
mod oauth2clientcredentials;
mod ratelimit;
pub(crate) mod routeralias;
mod routerchecker;
mod uppercase;

use wythe_blocks::Registry;

/// Registers `middleware.http.*`.
pub fn register(registry: &mut Registry) {
    registry
        .middleware
        .add_parsed("http.bearer", bearer::parse, bearer::open);
    registry.middleware.reaches_out("http.bearer");
    registry
        .middleware
        .add_parsed("http.oauth2", oauth2::settings::parse, oauth2::open);
    registry.middleware.reaches_out("http.oauth2");
    registry.middleware.add_parsed(
        "http.oauth2clientcredentials",
        oauth2clientcredentials::parse,
        oauth2clientcredentials::open,
    );
    registry
        .middleware
        .reaches_out("http.oauth2clientcredentials");
    registry
        .middleware
        .add_parsed("http.ratelimit", ratelimit::parse, ratelimit::open);
    registry
        .middleware
        .add_parsed("http.routeralias", routeralias::parse, routeralias::open);
    registry.middleware.add_parsed(
        "http.routerchecker",
        routerchecker::parse,
        routerchecker::open,
    );
    registry.middleware.add("http.uppercase", uppercase::open);
}
