//! The command of the invocation block, as an operator gives it: a call to an app by its id.

use super::{Answer, Binary};
use serde::{Deserialize, Serialize};
use wythe_blocks::{Call, Result, Tenant, invocation};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    Invoke(Invoke),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invoke {
    pub app: String,
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Binary,
}

pub(super) async fn execute(tenant: &Tenant, caller: &Call, action: Action) -> Result<Answer> {
    let Action::Invoke(command) = action;
    let headers = command.headers.into_iter();
    let request = invocation::Request {
        method: command.method,
        path: command.path,
        headers: headers.map(|(name, value)| (name, value.into())).collect(),
        body: command.body.0.into(),
    };
    let response = tenant
        .invocation
        .invoke(caller, &command.app, request)
        .await?;
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let headers = response.headers.into_iter();
    Ok(Answer::Response {
        status: response.status,
        headers: headers.map(|(name, value)| (name, text(&value))).collect(),
        body: Binary(response.body.into()),
    })
}
