//! `wythe pubsub`: what topics and groups hold, and what becomes of dead letters.

use crate::{
    args::{self, Common, Format, PubSubVerb},
    project::{self, Needs, Opened},
    report::{self, Outcome},
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, process::ExitCode, time::Duration};
use wythe_api::admin::{
    self, Command,
    pubsub::{Action, Answer, Group, Letter, PubSub},
};
use wythe_blocks::{jobs::shown_time, time::now};

pub async fn pubsub(common: &Common, args: &args::PubSub) -> Outcome {
    let opened = Opened::new(common, &args.project)?;
    let (component, action) = action(args.verb.clone());
    let command = Command::PubSub(PubSub {
        component,
        app: args.app.clone(),
        action,
    });
    let admin::Answer::PubSub(answer) = opened.ask(Needs::Components, command).await? else {
        return Err(project::misfit());
    };
    match common.output {
        Format::Json => report::print_json(&json(&args.verb, answer)),
        Format::Text => report::print(text(&args.verb, answer, now())),
    }
    Ok(ExitCode::SUCCESS)
}

fn action(verb: PubSubVerb) -> (String, Action) {
    match verb {
        PubSubVerb::Topics { component } | PubSubVerb::Groups { component, .. } => {
            (component, Action::Groups)
        }
        PubSubVerb::Dead(args) => {
            let action = Action::Letters {
                topic: args.topic,
                group: args.group.group,
                after: args.after,
                limit: args.limit,
            };
            (args.component, action)
        }
        PubSubVerb::Redrive(args) => {
            let action = Action::Redrive {
                topic: args.topic,
                group: args.group.group,
                to: args.to,
                limit: args.limit,
            };
            (args.component, action)
        }
        PubSubVerb::Purge {
            component,
            topic,
            group,
            remove,
        } => {
            let group = group.group;
            let action = Action::Purge {
                topic,
                group,
                remove,
            };
            (component, action)
        }
    }
}

/// The sums over all groups of one topic. A message counts once for each group.
#[derive(Default)]
struct Topic {
    groups: u64,
    messages: u64,
    bytes: u64,
    unread: u64,
    oldest: Option<u64>,
}

fn topics(groups: &[Group]) -> BTreeMap<&str, Topic> {
    let mut topics = BTreeMap::<&str, Topic>::new();
    for group in groups {
        let topic = topics.entry(&group.topic).or_default();
        match group.name {
            Some(_) => topic.groups += 1,
            None => topic.unread += group.messages,
        }
        topic.messages += group.messages;
        topic.bytes += group.bytes;
        let both = topic.oldest.into_iter().chain(group.oldest);
        topic.oldest = both.min();
    }
    topics
}

fn of_topic(verb: &PubSubVerb, groups: Vec<Group>) -> Vec<Group> {
    let PubSubVerb::Groups {
        topic: Some(topic), ..
    } = verb
    else {
        return groups;
    };
    let groups = groups.into_iter();
    groups.filter(|group| group.topic == *topic).collect()
}

fn text(verb: &PubSubVerb, answer: Answer, now: u64) -> String {
    match answer {
        Answer::Groups(groups) if matches!(verb, PubSubVerb::Topics { .. }) => {
            topic_table(&topics(&groups), now)
        }
        Answer::Groups(groups) => group_table(&of_topic(verb, groups), now),
        Answer::Letters(letters) => letter_table(&letters, now),
        Answer::Redriven { moved, left: 0 } => format!("sent back {moved}\n"),
        Answer::Redriven { moved, left } => format!("sent back {moved}, left {left}\n"),
        Answer::Purged { messages } => format!("removed {messages}\n"),
    }
}

fn topic_table(topics: &BTreeMap<&str, Topic>, now: u64) -> String {
    let head = [
        "TOPIC",
        "GROUPS",
        "MESSAGES",
        "BYTES",
        "OLDEST",
        "UNREAD LETTERS",
    ];
    let row = |(name, topic): (&&str, &Topic)| {
        [
            (*name).to_owned(),
            topic.groups.to_string(),
            topic.messages.to_string(),
            topic.bytes.to_string(),
            age(topic.oldest, now),
            topic.unread.to_string(),
        ]
    };
    report::table(head, topics.iter().map(row))
}

fn group_table(groups: &[Group], now: u64) -> String {
    let head = [
        "TOPIC", "GROUP", "MEMBERS", "MESSAGES", "OUT", "BYTES", "OLDEST",
    ];
    let row = |group: &Group| {
        [
            group.topic.clone(),
            group
                .name
                .clone()
                .unwrap_or_else(|| "(unread letters)".into()),
            group.members.to_string(),
            group.messages.to_string(),
            group.out.to_string(),
            group.bytes.to_string(),
            age(group.oldest, now),
        ]
    };
    report::table(head, groups.iter().map(row))
}

fn letter_table(letters: &[Letter], now: u64) -> String {
    let head = [
        "NUMBER", "FROM", "TYPE", "SOURCE", "ATTEMPTS", "BYTES", "AGE", "REASON",
    ];
    let absent = || "-".to_owned();
    let row = |letter: &Letter| {
        [
            letter.number.to_string(),
            letter.topic.clone().unwrap_or_else(absent),
            letter.kind.clone(),
            letter.source.clone(),
            letter
                .attempts
                .map_or_else(absent, |count| count.to_string()),
            letter.bytes.to_string(),
            age(Some(letter.since), now),
            letter.reason.clone().unwrap_or_else(absent),
        ]
    };
    report::table(head, letters.iter().map(row))
}

fn age(since: Option<u64>, now: u64) -> String {
    since.map_or_else(
        || "-".to_owned(),
        |since| report::time(Duration::from_millis(now.saturating_sub(since))),
    )
}

fn json(verb: &PubSubVerb, answer: Answer) -> Value {
    match answer {
        Answer::Groups(groups) if matches!(verb, PubSubVerb::Topics { .. }) => {
            let topics = topics(&groups);
            let topics = topics.iter().map(|(name, topic)| {
                json!({
                    "topic": name,
                    "groups": topic.groups,
                    "messages": topic.messages,
                    "bytes": topic.bytes,
                    "oldest": topic.oldest.map(shown_time),
                    "unread_letters": topic.unread,
                })
            });
            json!({ "topics": topics.collect::<Vec<_>>() })
        }
        Answer::Groups(groups) => {
            let groups = of_topic(verb, groups).into_iter().map(|group| {
                json!({
                    "topic": group.topic,
                    "group": group.name,
                    "ephemeral": group.ephemeral,
                    "members": group.members,
                    "messages": group.messages,
                    "out": group.out,
                    "bytes": group.bytes,
                    "oldest": group.oldest.map(shown_time),
                })
            });
            json!({ "groups": groups.collect::<Vec<_>>() })
        }
        Answer::Letters(letters) => {
            let letters: Vec<_> = letters.iter().map(letter_json).collect();
            json!({ "letters": letters })
        }
        Answer::Redriven { moved, left } => json!({ "moved": moved, "left": left }),
        Answer::Purged { messages } => json!({ "messages": messages }),
    }
}

fn letter_json(letter: &Letter) -> Value {
    json!({
        "number": letter.number,
        "id": letter.id,
        "type": letter.kind,
        "source": letter.source,
        "topic": letter.topic,
        "reason": letter.reason,
        "attempts": letter.attempts,
        "since": shown_time(letter.since),
        "bytes": letter.bytes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(topic: &str, name: Option<&str>, messages: u64, oldest: Option<u64>) -> Group {
        Group {
            topic: topic.into(),
            name: name.map(str::to_owned),
            ephemeral: false,
            members: 1,
            messages,
            out: 0,
            bytes: messages * 10,
            oldest,
        }
    }

    #[test]
    fn topics_and_groups_read_well() {
        let groups = || {
            vec![
                group("dead", None, 2, Some(1_000)),
                group("orders", Some("cart"), 0, None),
                group("orders", Some("mail"), 3, Some(60_000)),
            ]
        };
        let component = || "pubsub".to_owned();
        let verb = PubSubVerb::Topics {
            component: component(),
        };
        let expected = "\
TOPIC   GROUPS  MESSAGES  BYTES  OLDEST       UNREAD LETTERS
dead    0       2         20     2 min 0 s    2
orders  2       3         30     1 min 1 s    0
";
        let shown = text(&verb, Answer::Groups(groups()), 121_000);
        assert_eq!(squeezed(&shown), squeezed(expected));
        let verb = PubSubVerb::Groups {
            component: component(),
            topic: Some("dead".into()),
        };
        let expected = "\
TOPIC  GROUP             MEMBERS  MESSAGES  OUT  BYTES  OLDEST
dead   (unread letters)  1        2         0    20     2 min 0 s
";
        assert_eq!(text(&verb, Answer::Groups(groups()), 121_000), expected);
    }

    fn squeezed(text: &str) -> String {
        text.split(' ')
            .filter(|word| !word.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn what_a_letter_says_does_not_reach_the_terminal_as_it_is() {
        let letter = Letter {
            number: 7,
            id: None,
            kind: "t".into(),
            source: String::new(),
            topic: None,
            reason: Some("\x1b[2J\nx".into()),
            attempts: Some(3),
            since: 0,
            bytes: 5,
        };
        let shown = letter_table(&[letter], 10);
        assert!(shown.ends_with("10 ms  \\u{1b}[2J\\nx\n"), "{shown}");
    }
}
