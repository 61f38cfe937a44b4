//! Health: whether requests should come here, as a status and a line for each thing that keeps them away.

use http::StatusCode;
use wythe_blocks::Host;

/// 200 while the host serves; 503 while it drains, or where a component cannot do its work. The log has the cause.
pub async fn of(host: &Host, is_draining: bool) -> (StatusCode, String) {
    if is_draining {
        let text = "the host is stopping\n".to_owned();
        return (StatusCode::SERVICE_UNAVAILABLE, text);
    }
    let unwell = host.unwell().await;
    if unwell.is_empty() {
        return (StatusCode::OK, "ok\n".to_owned());
    }
    let lines = unwell.iter();
    let lines = lines.map(|(name, error)| format!("component `{name}` is {}\n", error.kind()));
    (StatusCode::SERVICE_UNAVAILABLE, lines.collect())
}

/// Readiness: what [`of`] says, and if asked for more, each tenant whose last change was wrong. That change is not in
/// force, so it keeps no request away; status has its file and line.
pub async fn ready(host: &Host, is_draining: bool, is_verbose: bool) -> (StatusCode, String) {
    let (status, mut text) = of(host, is_draining).await;
    if is_verbose {
        for (about, problems) in host.notices().list() {
            let count = problems.len();
            text += &format!(
                "the last change of `{about}` is not in force: {count} problems; see `wythe status`\n"
            );
        }
    }
    (status, text)
}
