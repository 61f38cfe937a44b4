//! A port for those who watch the host: `GET /metrics` for Prometheus, and [`health`] for whoever restarts it.

use crate::{
    health::{self, Question},
    serve::{Client, Front, Manner, Plain},
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use std::{sync::Arc, time::Duration};
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::sync::CancellationToken;
use wythe_blocks::{
    Body, Format, Host, body_from,
    connections::{Allowed, Connections},
};

/// Connections at once: some that scrape and some that look whether the host is well.
const CONNECTIONS: usize = 64;
/// Pages that are made at once, of all hosts of the process.
static SCRAPES: Semaphore = Semaphore::const_new(2);
/// Time for which a client may take none of its answer.
const SILENCE: Duration = Duration::from_secs(30);
/// Time for answers that are under way when the host stops.
const DRAIN: Duration = Duration::from_secs(1);

/// Serves until the host stops. Apps are drained from `draining` on, which health then says.
pub fn serve(host: &Arc<Host>, listener: TcpListener, draining: CancellationToken) {
    let (home, stopping) = (host.clone(), host.tasks().stopping());
    let front = Front {
        listener,
        connections: Connections::new("metrics", Allowed::unshared(CONNECTIONS)),
        tasks: host.tasks().clone(),
        manner: || Manner::Web { silence: SILENCE },
        layer: Plain,
    };
    host.tasks().spawn(async move {
        let service = move |request: Request<_>, _: Client| {
            let (home, draining) = (home.clone(), draining.clone());
            async move { answer(&home, &draining, &request).await }
        };
        front.serve(service, stopping, DRAIN).await;
    });
}

async fn answer<B>(
    host: &Host,
    draining: &CancellationToken,
    request: &Request<B>,
) -> Response<Body> {
    let (status, kind, body) = match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/metrics") => {
            let format = wanted(request.headers());
            // The page of a thousand tenants is large: whoever comes meanwhile waits for it.
            let turn = SCRAPES.acquire().await;
            let text = host.render_metrics(format, turn).await;
            (StatusCode::OK, format.content_type(), text)
        }
        (&Method::GET | &Method::HEAD, "/healthz") => {
            let (status, text) = health::alive(draining.is_cancelled());
            (status, "text/plain", text)
        }
        (&Method::GET | &Method::HEAD, "/v1.0/healthz" | "/v1.0/healthz/outbound") => {
            let question = match request.uri().path().ends_with("outbound") {
                true => Question::Outbound,
                false => Question::Whole,
            };
            let query = request.uri().query().unwrap_or_default();
            let app = query.split('&').find_map(|one| one.strip_prefix("appid="));
            let answer = health::as_dapr(host, draining.is_cancelled(), question, app);
            let (status, text) = answer.await;
            (status, "application/json", text)
        }
        (&Method::GET | &Method::HEAD, "/readyz") => {
            let is_verbose = request.uri().query() == Some("verbose");
            let ready = health::ready(host, draining.is_cancelled(), is_verbose);
            let (status, text) = ready.await;
            (status, "text/plain", text)
        }
        _ => {
            let help = "GET /metrics, /healthz, /readyz or /v1.0/healthz\n".to_owned();
            (StatusCode::NOT_FOUND, "text/plain", help)
        }
    };
    let mut response = Response::new(body_from(body));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// OpenMetrics where the client names it, and weighs it no less than plain text; Prometheus text otherwise.
fn wanted(headers: &HeaderMap) -> Format {
    let mut weights = [0.0_f32; 2];
    let values = headers.get_all(header::ACCEPT).into_iter();
    let texts = values.filter_map(|value| value.to_str().ok());
    for one in texts.flat_map(|text| text.split(',')) {
        let mut parts = one.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
        let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse().ok());
        let index = match kind.as_str() {
            "application/openmetrics-text" => 0,
            "text/plain" => 1,
            _ => continue,
        };
        weights[index] = weights[index].max(weight.unwrap_or(1.0_f32));
    }
    match weights[0] > 0.0 && weights[0] >= weights[1] {
        true => Format::OpenMetrics,
        false => Format::Prometheus,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;
    use wythe_blocks::Notice;

    async fn asked(host: &Host, draining: &CancellationToken, path: &str) -> (u16, String) {
        let request = Request::get(path).body(()).expect("a request");
        let (head, body) = answer(host, draining, &request).await.into_parts();
        let body = body.collect().await.expect("a body in memory").to_bytes();
        let text = String::from_utf8(body.into()).expect("a text");
        (head.status.as_u16(), text)
    }

    #[tokio::test]
    async fn health_says_that_the_host_drains_while_metrics_go_on() {
        let (host, draining) = (Host::default(), CancellationToken::new());
        let well = (200, "ok\n".to_owned());
        assert_eq!(asked(&host, &draining, "/healthz").await, well);
        assert_eq!(asked(&host, &draining, "/readyz").await, well);
        draining.cancel();
        let stopping = (503, "the host is stopping\n".to_owned());
        assert_eq!(asked(&host, &draining, "/healthz").await, stopping);
        assert_eq!(asked(&host, &draining, "/metrics").await.0, 200);
        assert_eq!(asked(&host, &draining, "/else").await.0, 404);
    }

    #[test]
    fn openmetrics_is_for_who_wants_it_no_less_than_text() {
        for (accept, expected) in [
            ("", Format::Prometheus),
            ("*/*", Format::Prometheus),
            ("text/plain;version=0.0.4", Format::Prometheus),
            ("application/openmetrics-text", Format::OpenMetrics),
            (
                "application/openmetrics-text;version=1.0.0;q=0.5, text/plain;version=0.0.4;q=0.3, */*;q=0.1",
                Format::OpenMetrics,
            ),
            (
                "text/plain, application/openmetrics-text;q=0.9",
                Format::Prometheus,
            ),
            ("application/openmetrics-text;q=0", Format::Prometheus),
            ("application/openmetrics-text;q=x", Format::OpenMetrics),
        ] {
            let mut headers = HeaderMap::new();
            let value = HeaderValue::from_str(accept).expect("a value");
            headers.insert(header::ACCEPT, value);
            assert_eq!(wanted(&headers), expected, "{accept}");
        }
    }

    #[tokio::test]
    async fn daprs_questions_have_daprs_answers() {
        let (host, draining) = (Host::default(), CancellationToken::new());
        let none = (204, String::new());
        for path in ["/v1.0/healthz", "/v1.0/healthz/outbound"] {
            assert_eq!(asked(&host, &draining, path).await, none);
        }
        let other = asked(&host, &draining, "/v1.0/healthz?appid=other").await;
        let error =
            r#"{"errorCode":"ERR_HEALTH_APPID_NOT_MATCH","message":"dapr app-id does not match"}"#;
        assert_eq!(other, (500, error.to_owned()));
        draining.cancel();
        let error = r#"{"errorCode":"ERR_HEALTH_NOT_READY","message":"dapr is not ready"}"#;
        let stopping = asked(&host, &draining, "/v1.0/healthz").await;
        assert_eq!(stopping, (500, error.to_owned()));
        let stopping = asked(&host, &draining, "/v1.0/healthz/outbound").await;
        assert!(stopping.1.contains("ERR_OUTBOUND_HEALTH_NOT_READY"));
    }

    #[tokio::test]
    async fn a_wrong_change_shows_until_it_is_mended() {
        let (host, draining) = (Host::default(), CancellationToken::new());
        let notice = Notice {
            kind: "invalid".into(),
            position: Some("/srv/shop/wythe.yaml:3:1".into()),
            message: "a secret".into(),
        };
        assert!(host.notices().set("shop", vec![notice]));
        let line = "the last change of `shop` is not in force: 1 problems; see `wythe status`";
        let reported = (200, format!("ok\n{line}\n"));
        assert_eq!(asked(&host, &draining, "/readyz?verbose").await, reported);
        assert_eq!(
            asked(&host, &draining, "/readyz").await,
            (200, "ok\n".into())
        );
        assert!(host.notices().set("shop", Vec::new()));
        let well = (200, "ok\n".to_owned());
        assert_eq!(asked(&host, &draining, "/readyz?verbose").await, well);
    }
}
