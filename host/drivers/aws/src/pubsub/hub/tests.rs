//! Shelves that are empty, full, or too old.

use super::*;

fn held(until: Instant) -> Held {
    Held {
        message: Message::default(),
        taken: Taken {
            body: String::new(),
            attempts: 1,
            handle: String::new(),
        },
        until,
    }
}

#[test]
fn a_topic_that_nobody_pulls_from_does_not_fill_the_memory() {
    let now = Instant::now();
    let later = now.after(Duration::from_secs(1));
    let mut state = State::default();
    assert!(!state.is_wanted(now), "nobody waits");
    state.shelves.entry("a".to_owned()).or_default().waiting = 1;
    for _ in 0..SHELVED {
        assert!(state.is_wanted(now));
        let slow = state.shelves.entry("b".to_owned()).or_default();
        slow.ready.push_back(held(later));
    }
    assert!(!state.is_wanted(now), "as many as there may be");
    assert!(state.is_wanted(later), "what is too old is another one's");
    let slow = state.shelves.get_mut("b").unwrap();
    slow.ready.pop_front();
    assert!(state.is_wanted(now));
}
