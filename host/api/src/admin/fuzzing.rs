//! The control API as a target of the fuzzer.

use super::{Answer, Refusal, wire::Path};
use crate::fuzzing::line;

/// A path and the body of a request, which is read as an answer as well.
pub fn control(data: &[u8]) {
    let (path, body) = line(data);
    drop(serde_json::from_slice::<Answer>(body));
    drop(serde_json::from_slice::<Refusal>(body));
    let path = std::str::from_utf8(path).ok().and_then(Path::find);
    let Some((path, Ok(command))) = path.map(|path| (path, path.command(body))) else {
        return;
    };
    let request = command.request().expect("a command is a request");
    assert_eq!(
        (request.0, Path::find(&request.1)),
        (path.method(), Some(path))
    );
    let again = path.command(&request.2).expect("its own fields");
    assert_eq!(again.request().expect("a command is a request"), request);
}
