//! A tenant with two apps that say what they were given.

use crate::{
    Admission, App, Body, Call, Callee, Error, Exports, Kind, Profile, Resiliency, Result, Trace,
    body_from,
    invocation::{AccessPolicies, Invocation, Request, Response},
    time,
};
use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use std::{sync::Arc, time::Duration};
use wythe_manifest::{Configuration, Grants, Name, parse_manifest, parse_resources};

/// An app that keeps what it was given.
pub(super) struct Echo {
    exports: Exports,
    given: Mutex<Vec<(String, String)>>,
}

#[async_trait]
impl Callee for Echo {
    fn exports(&self) -> Exports {
        self.exports
    }

    async fn http(
        &self,
        _: Call,
        _: Admission,
        request: http::Request<Body>,
    ) -> Result<http::Response<Body>> {
        let path = request.uri().path_and_query().expect("a path").to_string();
        let given = (request.method().to_string(), path);
        self.given.lock().push(given);
        Ok(http::Response::new(body_from(Bytes::new())))
    }

    async fn invoke(&self, _: Call, request: Request) -> Result<Response> {
        self.given.lock().push((request.method, request.path));
        Ok(Response {
            status: 200,
            headers: Vec::new(),
            body: Bytes::new(),
        })
    }
}

/// The ways in which an app asks another.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way {
    /// The block, to an app that exports it.
    Block,
    /// The block, to an app of HTTP.
    BlockToHttp,
    /// HTTP.
    Http,
    /// The block, several at once.
    Many,
}

pub(super) const WAYS: [Way; 4] = [Way::Block, Way::BlockToHttp, Way::Http, Way::Many];

/// A tenant with the apps `block` and `web`, which `caller` may call.
pub(super) struct Stage {
    pub invocation: Invocation,
    block: Arc<Echo>,
    web: Arc<Echo>,
    grants: Arc<Grants>,
}

pub(super) fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

pub(super) fn configurations(spec: &str) -> Vec<Configuration> {
    let head = "apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: { name: c }\n";
    let (found, problems) = parse_resources(&format!("{head}{spec}"), "conf.yaml".as_ref());
    assert!(problems.is_empty(), "{problems}");
    found.configurations
}

impl Stage {
    pub fn new(spec: &str) -> Self {
        let text = "version: 1\nname: a\napps: [{ appID: a, guest: a.wasm, grants: { invoke: [web, block] } }]\n";
        let (manifest, _) = parse_manifest(text, "wythe.yaml".as_ref());
        let grants = manifest.expect("a manifest").apps.remove(0).grants;
        let invocation = Invocation::new(
            Resiliency::new(name("default")),
            AccessPolicies::new(name("default")),
        );
        invocation.access().set(&configurations(spec));
        let app = |id: &str, exports| {
            let callee = Arc::new(Echo {
                exports,
                given: Mutex::default(),
            });
            let profile = Profile::new(name("default"), name(id));
            invocation.add(&App::new(profile, callee.clone()));
            callee
        };
        let [mut block, mut web] = [Exports::default(), Exports::default()];
        (block.invocation, web.http) = (true, true);
        Stage {
            block: app("block", block),
            web: app("web", web),
            grants: Arc::new(grants),
            invocation,
        }
    }

    pub fn caller(&self, tenant: &str, app: &str) -> Call {
        let (grants, deadline) = (self.grants.clone(), time::deadline(Duration::from_secs(60)));
        Call::app(name(tenant), name(app), grants, Trace::start(), deadline)
    }

    /// Asks; the answer is what the callee was given.
    pub async fn ask(
        &self,
        caller: &Call,
        way: Way,
        method: &str,
        path: &str,
    ) -> Result<(String, String)> {
        let request = Request {
            method: method.to_owned(),
            path: path.to_owned(),
            headers: Vec::new(),
            body: Bytes::new(),
        };
        let callee = match way {
            Way::Block | Way::Many => "block",
            Way::BlockToHttp | Way::Http => "web",
        };
        match way {
            Way::Block | Way::BlockToHttp => {
                drop(self.invocation.invoke(caller, callee, request).await?);
            }
            Way::Many => {
                let calls = vec![(callee.to_owned(), request)];
                let mut answers = self.invocation.invoke_many(caller, calls).await;
                drop(answers.remove(0)?);
            }
            Way::Http => {
                let mut request = http::Request::new(body_from(Bytes::new()));
                let wrong = |_| Error::invalid("no request");
                *request.uri_mut() = path.parse().map_err(|_| Error::invalid("no address"))?;
                *request.method_mut() = method.parse().map_err(wrong)?;
                drop(self.invocation.http(caller, callee, request).await?);
            }
        }
        let given = [&self.block, &self.web].map(|app| app.given.lock().pop());
        Ok(given.into_iter().flatten().next().expect("it was asked"))
    }

    pub async fn allows(&self, app: &str, method: &str, path: &str) -> bool {
        let caller = self.caller("default", app);
        let mut answers = Vec::new();
        for way in WAYS {
            match self.ask(&caller, way, method, path).await {
                Ok(given) => {
                    assert_eq!(given, (method.to_owned(), path.to_owned()), "{way:?}");
                    answers.push(true);
                }
                Err(error) => {
                    assert_eq!(error.kind(), Kind::Denied, "{way:?} {}", error.message());
                    answers.push(false);
                }
            }
        }
        assert!(
            answers.iter().all(|one| *one == answers[0]),
            "{path}: {answers:?}"
        );
        answers[0]
    }
}
