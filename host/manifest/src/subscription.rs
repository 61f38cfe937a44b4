//! `kind: Subscription`: which messages of a topic go to which route of an app.

use std::collections::BTreeMap;

use crate::component::read_head;
use crate::expression::Expression;
use crate::name::{ComponentName, Name};
use crate::problem::Source;
use crate::reader::{At, Fields};

const BULK: &str = "bulkSubscribe";

/// A choice of messages of a topic that go to routes of an app.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// The name of the resource itself.
    pub name: ComponentName,
    /// The tenant it belongs to; none is every tenant that loads the file.
    pub namespace: Option<Name>,
    /// The component that the messages come from.
    pub component: ComponentName,
    /// The topic in that component.
    pub topic: String,
    /// The conditions in the order they are tried.
    pub rules: Vec<Rule>,
    /// The route of a message that no rule matches; without one such a message is dropped.
    pub default_route: Option<String>,
    /// The topic for messages that could not be delivered.
    pub dead_letter_topic: Option<String>,
    /// Settings of this subscription for the driver.
    pub metadata: BTreeMap<String, String>,
    /// The apps that subscribe; empty is all.
    pub scopes: Vec<Name>,
    /// The place where it was written.
    pub source: Source,
    /// The places where its parts were written.
    pub positions: Positions,
}

/// The places where the parts of a subscription were written, in their order.
#[derive(Clone, Debug, Default)]
pub struct Positions {
    /// `pubsubname`.
    pub component: Source,
    /// The place of each of `scopes`.
    pub scopes: Vec<Source>,
}

/// A condition and the route of the messages that meet it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// A CEL expression over the event.
    pub expression: String,
    /// The route that a matching message takes.
    pub route: String,
}

/// Reads one document of `kind: Subscription`; the first version has one `route`, the second has `routes`.
pub(crate) fn read(document: &At, version: &str) -> Option<Subscription> {
    let fields = document.fields(&["apiVersion", "kind", "metadata", "spec", "scopes"])?;
    let head = read_head(&fields);
    let routing = if version == "v1alpha1" {
        "route"
    } else {
        "routes"
    };
    let what = "it holds `pubsubname` and `topic`";
    let spec = fields.demand("spec", what, |at| at.fields(&keys(routing)))?;
    refuse_bulk(&spec);
    check_settings(&spec);
    let component = spec.demand("pubsubname", "the component to subscribe to", At::parse);
    let topic = spec.demand("topic", "the topic to subscribe to", At::filled);
    let routes = spec.demand(routing, "where the messages go", |at| {
        read_routing(at, routing)
    });
    let (rules, default_route) = routes.unwrap_or_default();
    let subscription = Subscription {
        namespace: head.namespace,
        rules,
        default_route,
        dead_letter_topic: spec.string("deadLetterTopic"),
        metadata: spec
            .read("metadata", |at| Some(at.texts()))
            .into_iter()
            .flatten()
            .collect(),
        scopes: head.scopes,
        source: document.source(),
        positions: Positions {
            component: spec
                .get("pubsubname")
                .map(|at| at.source())
                .unwrap_or_default(),
            scopes: sources(&fields.scalars("scopes")),
        },
        name: head.name?,
        component: component?,
        topic: topic?.to_owned(),
    };
    Some(subscription)
}

/// Checks the part of the metadata that the host itself reads, and refuses a dead letter topic that would be read by
/// who could not take it.
fn check_settings(spec: &Fields) {
    if let Some(metadata) = spec.get("metadata").and_then(|at| Fields::quiet(&at)) {
        for name in ["broadcast", "rawPayload"] {
            let _ = metadata.read(name, At::boolean);
        }
        let max = metadata.get("maxDeliveryAttempts");
        if let Some(at) = max.filter(|at| at.count() == Some(0)) {
            at.error("expected a whole number of at least 1, found `0`");
        }
    }
    let topic = spec.scalar("topic");
    if let Some(at) = spec.get("deadLetterTopic").filter(|at| at.text() == topic) {
        at.error("the dead letter topic is the topic itself: what cannot be delivered would come again for ever");
    }
}

fn keys(routing: &str) -> [&str; 6] {
    [
        "pubsubname",
        "topic",
        routing,
        "metadata",
        "deadLetterTopic",
        BULK,
    ]
}

/// The places of those scopes that are names, as `head.scopes` has them.
fn sources(scopes: &[(At, &str)]) -> Vec<Source> {
    let names = scopes
        .iter()
        .filter(|(_, text)| text.parse::<Name>().is_ok());
    names.map(|(at, _)| at.source()).collect()
}

type Routes = (Vec<Rule>, Option<String>);

fn read_routing(at: &At, routing: &str) -> Option<Routes> {
    match routing {
        "route" => Some((Vec::new(), at.filled().map(str::to_owned))),
        _ => read_routes(at),
    }
}

fn read_routes(at: &At) -> Option<Routes> {
    let fields = at.fields(&["rules", "default"])?;
    let rules = fields.get("rules").map(|at| at.items()).unwrap_or_default();
    let default = fields.get("default");
    if rules.is_empty() && default.is_none() {
        at.error("expected `rules`, `default` or both, found neither");
    }
    let default = default.and_then(|at| at.filled()).map(str::to_owned);
    Some((rules.iter().filter_map(read_rule).collect(), default))
}

fn read_rule(at: &At) -> Option<Rule> {
    let fields = at.fields(&["match", "path"])?;
    let expression = fields.require("match", "the condition; a route without one is `default`");
    let route = fields.require("path", "where matching messages go");
    Some(Rule {
        expression: read_expression(&expression?)?,
        route: route?.filled()?.to_owned(),
    })
}

fn read_expression(at: &At) -> Option<String> {
    let text = at.filled()?;
    match Expression::check(text) {
        Ok(()) => Some(text.to_owned()),
        Err(wrong) => {
            at.error(&format!("the rule `{}` {wrong}", Expression::shown(text)));
            None
        }
    }
}

fn refuse_bulk(spec: &Fields) -> Option<()> {
    let at = spec.get(BULK)?;
    let bulk = at.fields(&["enabled", "maxMessagesCount", "maxAwaitDurationMs"])?;
    if bulk.get("enabled")?.boolean()? {
        at.error("bulk delivery is not available yet; remove `bulkSubscribe`");
    }
    Some(())
}
