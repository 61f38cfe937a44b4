//! Dead letter topics in a circle. A letter that fails again comes back to where it began, and on its way it is one more
//! for each group of a topic: there would be ever more of them, beside every limit of what waits.

use super::{Consumer, Loop, PubSub, Subscription};
use crate::{App, Error, Result};
use std::collections::{HashMap, HashSet};
use wythe_manifest::ComponentName;

/// The way of an event that nobody takes: a component, the topic where it came, the topic for its letter.
pub type Way = (ComponentName, String, String);

impl PubSub {
    /// The ways of dead letters, of which none leads back.
    pub(super) fn ways(&self, app: &App, ready: &[(Loop, Box<dyn Consumer>)]) -> Result<Vec<Way>> {
        let ways = ready.iter().filter_map(|(ready, _)| {
            let Subscription {
                topic,
                dead_letter_topic,
                ..
            } = &ready.subscription;
            let dead = dead_letter_topic.clone()?;
            Some((ready.component.name().clone(), topic.clone(), dead))
        });
        let ways: Vec<_> = ways.collect();
        let running = self.running();
        let others = running.iter().filter(|(id, _)| *id != app.id());
        check(&ways, others.flat_map(|(_, of)| &of.letters))?;
        Ok(ways)
    }
}

/// Refuses ways on which a letter would come back to the topic where it began; `others` are those of other apps.
fn check<'a>(own: &'a [Way], others: impl Iterator<Item = &'a Way>) -> Result<()> {
    let mut next: HashMap<(&ComponentName, &str), Vec<&str>> = HashMap::new();
    for (component, topic, dead) in own.iter().chain(others) {
        next.entry((component, topic)).or_default().push(dead);
    }
    for (component, topic, dead) in own {
        let mut seen = HashSet::new();
        let mut ahead = vec![dead.as_str()];
        while let Some(at) = ahead.pop() {
            if at == topic {
                return Err(refused(topic, dead));
            }
            if seen.insert(at) {
                let further = next.get(&(component, at));
                ahead.extend(further.into_iter().flatten());
            }
        }
    }
    Ok(())
}

fn refused(topic: &str, dead: &str) -> Error {
    let (topic, dead) = (topic.escape_debug(), dead.escape_debug());
    Error::invalid(format!(
        "the dead letter topic `{dead}` of `{topic}` leads back to `{topic}`, by the dead letter topics of its own subscribers: \
         what cannot be delivered would come again for ever; leave one of them out"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(topic: &str, dead: &str) -> Way {
        let component = "pubsub".parse().unwrap();
        (component, topic.to_owned(), dead.to_owned())
    }

    #[test]
    fn letters_do_not_come_back() {
        let chain = [way("a", "b"), way("b", "c")];
        assert!(check(&chain, [].iter()).is_ok());
        assert!(check(&[way("c", "d")], chain.iter()).is_ok());
        for (own, others) in [
            (vec![way("a", "b"), way("b", "a")], vec![]),
            (vec![way("b", "a")], vec![way("a", "b")]),
            (vec![way("c", "a")], chain.to_vec()),
        ] {
            let refused = check(&own, others.iter()).unwrap_err();
            assert!(refused.message().contains("leads back"), "{refused}");
        }
    }

    #[test]
    fn another_component_is_another_broker_and_another_circle_is_not_ours() {
        let other = ("other".parse().unwrap(), "b".to_owned(), "a".to_owned());
        assert!(check(&[way("a", "b")], [other].iter()).is_ok());
        let circle = [way("x", "y"), way("y", "x")];
        assert!(check(&[way("a", "x")], circle.iter()).is_ok());
    }
}
