//! The cases of two real sidecars that concern access control. Without certificates daprd knows no caller, so that its
//! default action decides, as it does here about a caller without a policy.

use super::stage::Stage;

const DENY: &str = "
spec:
  accessControl:
    defaultAction: deny
    trustDomain: public
";

const BY_PATH_AND_VERB: &str = "
spec:
  accessControl:
    defaultAction: deny
    trustDomain: public
    policies:
      - appId: caller
        defaultAction: deny
        trustDomain: public
        namespace: default
        operations:
          - { name: /a, httpVerb: [GET], action: allow }
          - { name: '/b/*', httpVerb: ['*'], action: allow }
";

const CALLS: [(&str, &str); 6] = [
    ("GET", "/a"),
    ("POST", "/a"),
    ("GET", "/b/c"),
    ("GET", "/b/c/d"),
    ("GET", "/a?x=1"),
    ("GET", "/st"),
];

#[tokio::test]
async fn without_access_control_all_calls_are_made() {
    let stage = Stage::new("");
    for (method, path) in CALLS {
        assert!(
            stage.allows("caller", method, path).await,
            "{method} {path}"
        );
    }
}

#[tokio::test]
async fn a_caller_that_is_not_known_has_the_default_action() {
    for rules in [DENY, BY_PATH_AND_VERB] {
        let stage = Stage::new(rules);
        for (method, path) in CALLS {
            assert!(
                !stage.allows("unknown", method, path).await,
                "{method} {path}"
            );
        }
    }
}

#[tokio::test]
async fn a_caller_that_is_known_has_its_policy() {
    let stage = Stage::new(BY_PATH_AND_VERB);
    let expected = [true, false, true, false, true, false];
    for ((method, path), expected) in CALLS.into_iter().zip(expected) {
        let allowed = stage.allows("caller", method, path).await;
        assert_eq!(allowed, expected, "{method} {path}");
    }
}
