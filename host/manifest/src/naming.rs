//! Grants, subscriptions and targets of policies that name nothing: their component or app is not there, or may not be.

use std::collections::HashSet;

use crate::app::App;
use crate::component::Component;
use crate::configuration::{Configuration, Handler, Subject};
use crate::grants::Mention;
use crate::manifest::Manifest;
use crate::name::Name;
use crate::problem::{Problem, Problems, Source};
use crate::resiliency::{Aim, Resiliency, Target};
use crate::resources::Resources;
use crate::subscription::Subscription;
use crate::suggest::did_you_mean;

/// The block of what requests from outside go through.
const MIDDLEWARE: &str = "middleware";
/// Problems of the names of one `Configuration`.
const MAX_PROBLEMS: usize = 100;

/// Compares what a project's grants, subscriptions and policies name with its components and apps. The resources are to
/// be whole, with the components that exist by default.
///
/// A component that is not there is an error; an app that is not there is a warning, for it may come later. A policy for
/// what is not there would protect nothing, so it is an error.
pub fn check_names(manifest: &Manifest, resources: &Resources) -> Problems {
    let own = |namespace: &Option<Name>| manifest.tenant.has(namespace.as_ref());
    let components = resources.components.iter();
    let known = Known {
        components: components.filter(|c| own(&c.namespace)).collect(),
        apps: manifest.apps.iter().map(|app| app.id.as_str()).collect(),
    };
    let grants = manifest.apps.iter().flat_map(|app| known.grants(app));
    let subscriptions = resources.subscriptions.iter();
    let subscriptions = subscriptions.filter(|subscription| own(&subscription.namespace));
    let subscriptions = subscriptions.flat_map(|subscription| known.subscription(subscription));
    let policies = resources.resiliencies.iter();
    let policies = policies.filter(|policy| own(&policy.namespace));
    let policies = policies.flat_map(|policy| known.policies(policy));
    let configurations = resources.configurations.iter();
    let configurations = configurations.filter(|one| own(&one.namespace));
    let configurations = configurations.flat_map(|one| known.configuration(one, &manifest.tenant));
    let types = known.components.iter();
    let types = types.filter_map(|component| denied(component, resources, &manifest.tenant));
    let idle = known.unused(resources, &manifest.tenant);
    let all = grants.chain(subscriptions).chain(policies).chain(types);
    let all = all.chain(idle);
    Problems(all.chain(configurations).collect())
}

/// A component whose type a `Configuration` denies.
fn denied(component: &Component, resources: &Resources, tenant: &Name) -> Option<Problem> {
    let denied = resources.denied(tenant, component)?;
    let message = format!(
        "the type `{}` of `{}` is denied by `components.deny` at {}; remove the component, or the type there",
        component.kind(),
        component.name,
        denied.source
    );
    Some(component.source.problem("spec.type", message))
}

struct Known<'a> {
    components: Vec<&'a Component>,
    apps: HashSet<&'a str>,
}

impl Known<'_> {
    fn grants(&self, app: &App) -> Vec<Problem> {
        let mentions = app.grants.mentions.iter();
        let reported = |mention: &Mention| match block_of(mention.grant) {
            Some(block) => self.component(app, mention, block),
            None => {
                let (message, help) = self.app(&mention.name)?;
                let problem = mention.source.problem(&mention.key, message).as_warning();
                Some(Problem { help, ..problem })
            }
        };
        mentions.filter_map(reported).collect()
    }

    fn component(&self, app: &App, mention: &Mention, block: &str) -> Option<Problem> {
        let problem = |message| mention.source.problem(&mention.key, message);
        let (message, help) = match self.find(&mention.name, block) {
            Ok(found) if found.scopes.is_empty() || found.scopes.contains(&app.id) => return None,
            Ok(found) => {
                let message = format!(
                    "app `{}` is not in the `scopes` of `{}` at {}",
                    app.id, found.name, found.source
                );
                return Some(problem(message).as_warning());
            }
            Err(wrong) => wrong,
        };
        Some(Problem {
            help,
            ..problem(message)
        })
    }

    fn subscription(&self, subscription: &Subscription) -> Vec<Problem> {
        let positions = &subscription.positions;
        let component = self.find(subscription.component.as_str(), "pubsub").err();
        let component = component.map(|(message, help)| Problem {
            help,
            ..positions.component.problem("spec.pubsubname", message)
        });
        let scopes = subscription.scopes.iter().zip(&positions.scopes);
        let apps = scopes.filter_map(|(scope, position)| {
            let (message, help) = self.app(scope.as_str())?;
            let problem = position.problem("scopes", message).as_warning();
            Some(Problem { help, ..problem })
        });
        component.into_iter().chain(apps).collect()
    }

    fn policies(&self, policies: &Resiliency) -> Vec<Problem> {
        let scopes = policies.scopes.iter().zip(&policies.positions);
        let scopes = scopes.filter_map(|(scope, position)| {
            let (message, help) = self.app(scope.as_str())?;
            let problem = position.problem("scopes", message).as_warning();
            Some(Problem { help, ..problem })
        });
        let targets = policies.targets.iter();
        let targets = targets.filter_map(|target| self.target(target));
        scopes.chain(targets).collect()
    }

    /// A word about an app that is not there would forbid nothing, and no other tenant's app calls.
    fn configuration(&self, configuration: &Configuration, tenant: &Name) -> Vec<Problem> {
        let named = |name: &str, source: &Source, key: &str| {
            let (message, help) = self.app(name)?;
            Some(Problem {
                help,
                ..source.problem(key, message)
            })
        };
        let scopes = configuration.scopes.iter().zip(&configuration.positions);
        let scopes = scopes.filter_map(|(app, place)| named(app.as_str(), place, "scopes"));
        let policies = configuration.access.iter().flat_map(|one| &one.policies);
        let policies = policies.filter_map(|policy| {
            let key = "spec.accessControl.policies";
            let Subject::App { namespace, app } = &policy.caller else {
                return None;
            };
            if namespace == tenant {
                return named(app.as_str(), &policy.source, key);
            }
            let message =
                format!("no app of the namespace `{namespace}` can call: the tenant is `{tenant}`");
            Some(policy.source.problem(key, message))
        });
        let of_app = configuration.app_pipeline.iter();
        let of_app = of_app.filter_map(|one| self.handler(one, "spec.appHttpPipeline.handlers"));
        let handlers = configuration.pipeline.iter();
        let handlers = handlers.filter_map(|one| self.handler(one, "spec.httpPipeline.handlers"));
        let all = scopes.chain(policies).chain(handlers).chain(of_app);
        all.take(MAX_PROBLEMS).collect()
    }

    /// A handler that names nothing, or something else than it says, would let every request pass.
    fn handler(&self, handler: &Handler, key: &str) -> Option<Problem> {
        let (message, help) = match self.find(handler.name.as_str(), MIDDLEWARE) {
            Err(wrong) => wrong,
            Ok(found) => (handler.mismatch(found)?, None),
        };
        Some(Problem {
            help,
            ..handler.source.problem(key, message)
        })
    }

    /// Middleware that no pipeline has, which protects nothing.
    fn unused(&self, resources: &Resources, tenant: &Name) -> Vec<Problem> {
        let documents = resources.configurations.iter();
        let documents = documents.filter(|one| tenant.has(one.namespace.as_ref()));
        let used: HashSet<&str> = documents
            .flat_map(|one| one.pipeline.iter().chain(&one.app_pipeline))
            .map(|handler| handler.name.as_str())
            .collect();
        let all = self.components.iter().filter(|one| one.block == MIDDLEWARE);
        let idle = all.filter(|one| !used.contains(one.name.as_str()));
        let message = |one: &&Component| {
            let message = format!(
                "no effect: `{}` is in no pipeline; name it in `httpPipeline.handlers` of a `Configuration`",
                one.name
            );
            one.source.problem("spec.type", message).as_warning()
        };
        idle.map(message).collect()
    }

    /// Returns what is wrong with a target; the types of actors are known when apps are loaded.
    fn target(&self, target: &Target) -> Option<Problem> {
        let name = target.name.as_str();
        let (message, help) = match target.aim {
            Aim::Actor => return None,
            Aim::App => self.app(name)?,
            Aim::Inbound | Aim::Outbound => self.component_of(target)?,
        };
        let problem = target.source.problem("spec.targets", message);
        Some(Problem { help, ..problem })
    }

    fn component_of(&self, target: &Target) -> Option<(String, Option<String>)> {
        let name = target.name.as_str();
        let mut named = self.components.iter().filter(|c| c.name.as_str() == name);
        let Some(found) = named.next() else {
            let all = self.components.iter();
            let help = did_you_mean(name, all.map(|component| component.name.as_str()));
            return Some((format!("no component is called `{name}`"), help));
        };
        let block = found.block.as_str();
        if block == MIDDLEWARE {
            let message = format!(
                "`{name}` is middleware, which each request goes through once: no policy is for it; leave it out"
            );
            return Some((message, None));
        }
        match target.aim == Aim::Inbound && !["pubsub", "bindings"].contains(&block) {
            true => Some((
                format!(
                    "`{name}` is a component of {block}, which delivers nothing: write `outbound`"
                ),
                None,
            )),
            false => None,
        }
    }

    /// The component, or what is said where there is none.
    fn find(&self, name: &str, block: &str) -> Result<&Component, (String, Option<String>)> {
        let mut named = self.components.iter().filter(|c| c.name.as_str() == name);
        if let Some(found) = named.clone().find(|component| component.block == block) {
            return Ok(found);
        }
        if let Some(other) = named.next() {
            let kind = &other.block;
            let message = format!("`{name}` is a component of {kind}; expected one of {block}");
            return Err((message, None));
        }
        let of_block = self.components.iter().filter(|c| c.block == block);
        let help = did_you_mean(name, of_block.map(|component| component.name.as_str()));
        Err((format!("no {block} component is called `{name}`"), help))
    }

    /// The message and the help for an app that is not there.
    fn app(&self, name: &str) -> Option<(String, Option<String>)> {
        if self.apps.contains(name) {
            return None;
        }
        let help = did_you_mean(name, self.apps.iter().copied());
        Some((format!("no app of this project is called `{name}`"), help))
    }
}

/// The block of the components that a grant names; none for `invoke`, which names apps.
fn block_of(grant: &str) -> Option<&str> {
    match grant {
        "invoke" => None,
        "publish" | "subscribe" => Some("pubsub"),
        "secrets" | "reveal" => Some("secretstores"),
        "listen" => Some("bindings"),
        same => Some(same),
    }
}
