//! The target of a request of a stranger, as a target of the fuzzer.

use super::target::{complete, skip};
use crate::fuzzing::line;
use http::{Request, Version, header::HOST};
use wythe_blocks::invocation::Path;

/// A version, the bytes of the path to leave out, a line that is the target, and others that are Host headers.
pub fn request(data: &[u8]) {
    let Some(([version, skipped], rest)) = data.split_first_chunk() else {
        return;
    };
    let versions = [Version::HTTP_10, Version::HTTP_11, Version::HTTP_2];
    let version = versions[usize::from(*version) % versions.len()];
    let (uri, mut rest) = line(rest);
    let mut request = Request::builder().version(version).uri(uri);
    while !rest.is_empty() {
        let (host, more) = line(rest);
        request = request.header(HOST, host);
        rest = more;
    }
    let Ok(mut request) = request.body(()) else {
        return;
    };
    if complete(&mut request, http::uri::Scheme::HTTP).is_err() {
        return;
    }
    let hosts: Vec<_> = request.headers().get_all(HOST).iter().collect();
    let authority = request.uri().authority().expect("a whole URI");
    assert_eq!(hosts, [authority.as_str()]);
    if Path::of(request.uri()).is_ok() && skip(&mut request, (*skipped).into()).is_ok() {
        assert!(request.uri().path().starts_with('/'));
    }
}
