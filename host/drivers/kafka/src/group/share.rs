//! The sharing out of partitions among members, by the rules that all clients have.

use super::session::Share;
use std::collections::{BTreeSet, HashMap, HashSet};

/// The share of each member; `counts` has the partitions of each topic.
pub(super) fn share(
    members: &[(String, Vec<String>)],
    counts: &HashMap<String, i32>,
    is_round_robin: bool,
) -> Vec<(String, Share)> {
    let mut sorted: Vec<_> = members.iter().collect();
    sorted.sort();
    let mut shares: Vec<(String, Share)> = sorted
        .iter()
        .map(|(member, _)| (member.clone(), Vec::new()))
        .collect();
    let topics: BTreeSet<_> = members.iter().flat_map(|(_, topics)| topics).collect();
    let wanted: Vec<HashSet<_>> = sorted.iter().map(|(_, all)| all.iter().collect()).collect();
    let mut turn = 0;
    for topic in topics {
        let readers = wanted.iter().enumerate();
        let readers = readers.filter(|(_, topics)| topics.contains(topic));
        let readers: Vec<_> = readers.map(|(place, _)| place).collect();
        let count = counts.get(topic).copied().unwrap_or(0);
        for partition in 0..count {
            let place = match is_round_robin {
                true => next(&readers, &mut turn, sorted.len()),
                false => readers[range(partition, count, readers.len())],
            };
            let share = &mut shares[place].1;
            match share.last_mut().filter(|(last, _)| last == topic) {
                Some((_, partitions)) => partitions.push(partition),
                None => share.push((topic.clone(), vec![partition])),
            }
        }
    }
    shares
}

/// The reader of a partition, where each has a range of them and the first ones have one more.
fn range(partition: i32, count: i32, readers: usize) -> usize {
    let (partition, count) = (partition as usize, count as usize);
    let (least, more) = (count / readers, count % readers);
    let large = more * (least + 1);
    match partition < large {
        true => partition / (least + 1),
        false => more + (partition - large) / least,
    }
}

/// The next reader in turn among all members, those passed over that do not read the topic.
fn next(readers: &[usize], turn: &mut usize, members: usize) -> usize {
    while !readers.contains(&(*turn % members)) {
        *turn += 1;
    }
    *turn += 1;
    (*turn - 1) % members
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(is_round_robin: bool) -> Vec<String> {
        let member = |name: &str, topics: &[&str]| {
            let topics = topics.iter().map(|topic| (*topic).to_owned());
            (name.to_owned(), topics.collect::<Vec<_>>())
        };
        let members = [
            member("c", &["x"]),
            member("a", &["x", "y"]),
            member("b", &["x", "gone"]),
        ];
        let counts = [("x".to_owned(), 7), ("y".to_owned(), 2)].into();
        let shared = share(&members, &counts, is_round_robin);
        let shown = shared
            .iter()
            .map(|(member, share)| format!("{member} {share:?}"));
        shown.collect()
    }

    #[test]
    fn each_member_has_a_range() {
        let expected = [
            r#"a [("x", [0, 1, 2]), ("y", [0, 1])]"#,
            r#"b [("x", [3, 4])]"#,
            r#"c [("x", [5, 6])]"#,
        ];
        assert_eq!(shares(false), expected);
    }

    #[test]
    fn members_take_turns() {
        let expected = [
            r#"a [("x", [0, 3, 6]), ("y", [0, 1])]"#,
            r#"b [("x", [1, 4])]"#,
            r#"c [("x", [2, 5])]"#,
        ];
        assert_eq!(shares(true), expected);
    }
}
