//! Rules and schedules that attack the host: refused where they are written, and whatever is taken costs only its app.

use crate::case;
use anyhow::{Result, ensure};
use host_tests::{MEMORY, Project};
use libtest_mimic::Trial;

const HOSTILE: &str = "\
  - appID: hostile
    guest: hostile.wasm
    ingress: /
    grants: { state: [statestore], publish: [pubsub], subscribe: [pubsub/bomb], invoke: [hostile], http: [] }
";

/// The plan of a bomb: what is before and after the middle, how often, and what is told.
type Bomb = (&'static str, &'static str, &'static str, u32, &'static str);

const BOMBS: &[Bomb] = &[
    (
        "1+",
        "1==1",
        "",
        3000,
        "has 6004 bytes; at most 4096 are allowed",
    ),
    ("1+", "1==1", "", 2000, "nests deeper than 32 levels"),
    ("(", "true", ")", 2000, "is no CEL expression: "),
    ("[", "", "]==[]", 90, "nests deeper than 32 levels"),
    ("[", "1", "]", 60, "nests deeper than 32 levels"),
    ("true?true:", "true", "", 300, "is no CEL expression: "),
    (
        "",
        "event.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a==1",
        "",
        0,
        "nests deeper",
    ),
    (
        "[0,1,2,3,4,5,6,7,8,9].map(x,",
        "[1]",
        ")",
        7,
        "repeats (`all`, `exists`",
    ),
    (
        "[",
        "'aaaaaaaaaa'",
        "].map(y,y+y)[0]",
        26,
        "repeats (`all`, `exists`",
    ),
    ("event.data+", "event.data", "", 20, "goes over the event "),
    (
        "",
        "event.type.matches('((a{1,100}){1,100}){1,100}')",
        "",
        0,
        "which takes more than 262144 bytes",
    ),
];

pub fn trials() -> Vec<Trial> {
    vec![
        case(
            "expressions::a_bomb_of_a_guest_is_refused_by_name",
            of_guests,
        ),
        case(
            "expressions::a_bomb_in_yaml_is_refused_at_its_line",
            in_yaml,
        ),
        case("expressions::a_costly_rule_costs_its_app", costly),
    ]
}

fn text(bomb: &Bomb) -> String {
    let (open, middle, close, count, _) = bomb;
    let count = *count as usize;
    open.repeat(count) + middle + &close.repeat(count)
}

async fn of_guests() -> Result<()> {
    for bomb in BOMBS {
        let (open, middle, close, count, reported) = bomb;
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let apps = format!(
            "{HOSTILE}    env: {{ RULE: {}, RULE_OPEN: {}, RULE_CLOSE: {}, RULE_COUNT: {} }}\n",
            quoted(middle),
            quoted(open),
            quoted(close),
            quoted(&count.to_string()),
        );
        let problems = Project::new(&apps).with("memory", MEMORY).problems().await;
        let [problem] = &problems[..] else {
            anyhow::bail!("{open}{middle}{close}: {problems:?}");
        };
        ensure!(
            problem.contains("the rule `") && problem.contains(reported) && problem.len() < 600,
            "{open}{middle}{close}: {problem}"
        );
    }
    Ok(())
}

fn subscription(app: &str, rule: &str) -> String {
    format!(
        "apiVersion: dapr.io/v2alpha1\nkind: Subscription\nmetadata: {{ name: routed }}\nspec:\n  pubsubname: pubsub\n  topic: routed\n  routes:\n    rules:\n      - match: {}\n        path: /bomb\n    default: /other\nscopes: [{app}]\n",
        serde_json::Value::from(rule)
    )
}

async fn in_yaml() -> Result<()> {
    for bomb in BOMBS {
        let problems = Project::new(&HOSTILE.replace("pubsub/bomb", "pubsub/routed"))
            .with("memory", MEMORY)
            .with("routed", &subscription("hostile", &text(bomb)))
            .located_problems()
            .await;
        let [problem] = &problems[..] else {
            anyhow::bail!("{}: {problems:?}", text(bomb));
        };
        ensure!(
            problem.starts_with("resources/routed.yaml:9:") && problem.contains(bomb.4),
            "{problem}"
        );
    }
    Ok(())
}

/// Rules that cost as much as they may run over events that are wide: each goes its way, and the neighbour is served
/// meanwhile.
async fn costly() -> Result<()> {
    const APPS: &str = "\
  - appID: hostile
    guest: hostile.wasm
    ingress: /
    grants: { state: [statestore], publish: [pubsub/routed], invoke: [hostile], http: [] }
  - appID: echo
    guest: echo.wasm
    ingress: /events
    grants: { state: [statestore], publish: [pubsub], subscribe: [pubsub], invoke: [echo] }
  - appID: neighbour
    guest: hello.wasm
    ingress: /neighbour
    grants: { state: [statestore], publish: [pubsub/visits], subscribe: [pubsub/visits] }
";
    let rule = vec!["event.data != event.data"; 32].join(" || ");
    let running = Project::new(APPS)
        .with("memory", MEMORY)
        .with("routed", &subscription("echo", &rule))
        .start()
        .await?;
    let published = running
        .get("/publish-wide?component=pubsub&topic=routed&count=10&values=5000")
        .await?;
    ensure!(published.text() == "published 10", "{published:?}");
    for _ in 0..20 {
        let answer = running.get("/neighbour").await?;
        ensure!(answer.text().starts_with("hello, visitor "), "{answer:?}");
    }
    let all = |events: &host_tests::Answer| {
        events
            .json()
            .as_array()
            .is_some_and(|list| list.len() == 10)
    };
    running.eventually("/events", all).await?;
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}
