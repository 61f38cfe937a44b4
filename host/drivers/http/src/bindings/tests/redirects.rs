//! Redirects: below the component's URL, and nowhere else.

use super::*;

#[tokio::test]
async fn a_redirect_to_another_host_is_not_followed() {
    let (other, asked) = serve(vec![answer("200 OK", "", "stolen")]);
    let (url, _requests) = serve(vec![answer(
        "302 Found",
        &format!("location: {other}\r\n"),
        "",
    )]);
    let outcome = ask(&*driver(&url, false, None).await, "get", "", &[])
        .await
        .unwrap();
    assert_eq!(outcome.metadata[0].1, "302");
    assert!(asked.try_recv().is_err());
}

#[tokio::test]
async fn a_redirect_at_home_is_followed() {
    let answers = vec![
        answer("302 Found", "location: /base/new\r\n", ""),
        answer("200 OK", "", "moved"),
    ];
    let (url, _requests) = serve(answers);
    let outcome = ask(&*driver(&url, true, None).await, "get", "", &[])
        .await
        .unwrap();
    assert_eq!(outcome.data, "moved");
}

#[tokio::test]
async fn a_redirect_out_of_the_url_is_not_followed_and_says_so() {
    let moved = answer("302 Found", "location: /admin/secret\r\n", "");
    let (url, requests) = serve(vec![moved.clone(), moved, answer("200 OK", "", "stolen")]);
    let token = ("Authorization", "Bearer of a secret");
    let error = ask(&*driver(&url, true, None).await, "get", "", &[token]).await;
    let error = error.unwrap_err();
    assert_eq!(
        (error.kind(), error.message()),
        (
            Kind::Invalid,
            "`127.0.0.1` answered 302 Found, a redirect out of the component's `url`, where nothing is sent; see \
             `errorIfNot2XX`"
        )
    );
    let outcome = ask(&*driver(&url, false, None).await, "get", "", &[token]).await;
    assert_eq!(outcome.unwrap().metadata[0].1, "302");
    for _ in 0..2 {
        assert!(
            requests
                .recv()
                .unwrap()
                .starts_with("GET /base HTTP/1.1\r\n")
        );
    }
    assert!(requests.try_recv().is_err());
}

#[tokio::test]
async fn what_follows_has_the_headers_and_what_the_status_leaves_of_the_rest() {
    for (status, operation, expected) in [
        ("301 Moved Permanently", "post", "GET"),
        ("302 Found", "put", "PUT"),
        ("303 See Other", "put", "GET"),
        ("303 See Other", "head", "HEAD"),
        ("307 Temporary Redirect", "post", "POST"),
        ("308 Permanent Redirect", "patch", "PATCH"),
    ] {
        let (url, requests) = serve(vec![
            answer(status, "location: base/new?a=b#c\r\n", ""),
            answer("200 OK", "", ""),
        ]);
        let data = if operation == "head" { "" } else { "data" };
        let driver = driver(&url, true, None).await;
        let token = ("Authorization", "Bearer");
        ask(&*driver, operation, data, &[token]).await.unwrap();
        let (_, request) = (requests.recv().unwrap(), requests.recv().unwrap());
        let begin = format!("{expected} /base/new?a=b HTTP/1.1\r\n");
        assert!(request.starts_with(&begin), "{status}: {request}");
        assert!(
            request.contains("\r\nauthorization: Bearer\r\n"),
            "{request}"
        );
        assert!(!request.contains("referer"), "{request}");
        let carries = !["GET", "HEAD"].contains(&expected);
        assert_eq!(request.contains("content-type"), carries, "{request}");
        assert_eq!(request.ends_with("\r\n\r\ndata"), carries, "{request}");
    }
}

#[tokio::test]
async fn a_circle_ends_after_five() {
    let moved = answer("302 Found", "location: /base/again\r\n", "");
    let (url, requests) = serve(vec![moved; 7]);
    let error = ask(&*driver(&url, true, None).await, "get", "", &[]).await;
    assert_eq!(
        error.unwrap_err().message(),
        "`127.0.0.1` answered 302 Found, more redirects than the 5 that are followed; see `errorIfNot2XX`"
    );
    for _ in 0..6 {
        requests.recv_timeout(PATIENCE).unwrap();
    }
    assert!(requests.try_recv().is_err());
}

/// A caller that tries again what was `unavailable` would else send it again.
#[tokio::test]
async fn a_post_that_was_redirected_and_then_lost_has_an_unknown_outcome() {
    let (url, _requests) = serve(vec![answer(
        "303 See Other",
        "location: /base/made\r\n",
        "",
    )]);
    let error = ask(&*driver(&url, true, None).await, "post", "", &[]).await;
    assert_eq!(error.unwrap_err().kind(), Kind::UnknownOutcome);
}
