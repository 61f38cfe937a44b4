//! Ends of times, and what is refused of one put alone.

use super::*;

#[test]
fn a_time_to_live_is_never_shorter_than_asked() {
    assert_eq!(lifetime(Some(Duration::from_nanos(1))), Some(1));
    assert_eq!(lifetime(Some(Duration::from_micros(5))), Some(5));
    assert_eq!(lifetime(Some(Duration::MAX)), None);
    assert_eq!(lifetime(None), None);
}

#[test]
fn a_content_type_with_nul_is_refused_by_itself() {
    let mut put = Put::new("key", "value");
    put.options.content_type = Some("text/plain".to_owned());
    check(&put).unwrap();
    put.options.content_type = Some("text/\0".to_owned());
    let error = check(&put).unwrap_err();
    assert_eq!(error.kind(), wythe_blocks::Kind::Invalid);
    assert!(error.message().contains("has a NUL character"), "{error}");
}
