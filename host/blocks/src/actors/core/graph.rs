//! The graph of turns that wait for actors, so that a call that would wait for itself is refused instead.
//!
//! A turn waits for an actor from before it stands in the actor's queue until it has its answer; an actor is held by the
//! turn that runs in it. A deadlock is a circle of the two. Its last part is always a turn that begins to wait, since a
//! turn that begins to run waits for nobody yet: so looking whenever somebody begins to wait finds every one.

use super::names::Actor;
use crate::{Call, Error, Result};
use parking_lot::{Mutex, MutexGuard};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

#[derive(Default)]
pub(in crate::actors) struct Graph(Mutex<Edges>);

#[derive(Default)]
struct Edges {
    /// The number of the turn that runs in an actor.
    held: HashMap<Arc<Actor>, u64>,
    /// More than one where an app calls several others at once.
    waiting: HashMap<u64, Vec<Arc<Actor>>>,
}

/// A guard: while it lives, a turn waits for an actor.
pub(in crate::actors) struct Waiting<'a> {
    graph: &'a Graph,
    edge: Option<(u64, Arc<Actor>)>,
}

/// A guard: while it lives, a turn holds an actor.
pub(in crate::actors) struct Holding<'a> {
    graph: &'a Graph,
    actor: Arc<Actor>,
}

impl Graph {
    /// Refuses where the caller would wait for itself.
    pub(in crate::actors) fn wait(&self, from: &Call, actor: &Arc<Actor>) -> Result<Waiting<'_>> {
        let chain: Vec<_> = from.turns().map(|inside| &inside.turn).collect();
        let Some(innermost) = chain.first() else {
            return Ok(Waiting {
                graph: self,
                edge: None,
            });
        };
        let numbers: HashSet<_> = chain.iter().map(|turn| turn.number).collect();
        let mut edges = self.lock();
        if let Some(circle) = edges.circle(actor, &numbers) {
            let outside = chain.iter().rev().map(|turn| &turn.actor);
            return Err(refusal(actor, outside.chain(&circle)));
        }
        let edge = (innermost.number, actor.clone());
        edges
            .waiting
            .entry(edge.0)
            .or_default()
            .push(edge.1.clone());
        Ok(Waiting {
            graph: self,
            edge: Some(edge),
        })
    }

    pub(in crate::actors) fn hold(&self, actor: &Arc<Actor>, turn: u64) -> Holding<'_> {
        self.lock().held.insert(actor.clone(), turn);
        Holding {
            graph: self,
            actor: actor.clone(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Edges> {
        self.0.lock()
    }
}

/// A call that would wait for itself, with the chain that shows it.
pub(in crate::actors) fn refusal<'a>(
    actor: &Actor,
    chain: impl Iterator<Item = &'a Arc<Actor>>,
) -> Error {
    let names: Vec<_> = chain.map(ToString::to_string).collect();
    let chain = names.join(" -> ");
    Error::conflict(format!(
        "the call to actor `{actor}` would wait for itself: {chain}"
    ))
}

impl Edges {
    /// The way from an actor to one that these turns hold, if there is one.
    fn circle(&self, start: &Arc<Actor>, turns: &HashSet<u64>) -> Option<Vec<Arc<Actor>>> {
        let mut seen = HashSet::from([start.clone()]);
        let mut ways = vec![vec![start.clone()]];
        while let Some(way) = ways.pop() {
            let Some(holder) = way.last().and_then(|actor| self.held.get(actor)) else {
                continue;
            };
            if turns.contains(holder) {
                return Some(way);
            }
            for next in self.waiting.get(holder).into_iter().flatten() {
                if seen.insert(next.clone()) {
                    ways.push(way.iter().chain([next]).cloned().collect());
                }
            }
        }
        None
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let Some((turn, actor)) = self.edge.take() else {
            return;
        };
        let mut edges = self.graph.lock();
        let Some(waiting) = edges.waiting.get_mut(&turn) else {
            return;
        };
        if let Some(index) = waiting.iter().position(|other| *other == actor) {
            waiting.swap_remove(index);
        }
        if waiting.is_empty() {
            edges.waiting.remove(&turn);
        }
    }
}

impl Drop for Holding<'_> {
    fn drop(&mut self) {
        self.graph.lock().held.remove(&self.actor);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn actor(id: &str) -> Arc<Actor> {
        Arc::new(Actor::new(&"default".parse().unwrap(), "x", id).unwrap())
    }

    #[track_caller]
    fn check(
        held: &[(&str, u64)],
        waiting: &[(u64, &str)],
        start: &str,
        turns: &[u64],
        way: Option<&str>,
    ) {
        let mut edges = Edges::default();
        edges
            .held
            .extend(held.iter().map(|(id, turn)| (actor(id), *turn)));
        for (turn, id) in waiting {
            edges.waiting.entry(*turn).or_default().push(actor(id));
        }
        let turns = turns.iter().copied().collect();
        let found = edges.circle(&actor(start), &turns);
        let found = found.map(|way| {
            way.iter()
                .map(|actor| actor.id.clone())
                .collect::<Vec<_>>()
                .join(" ")
        });
        assert_eq!(found.as_deref(), way);
    }

    #[test]
    fn circles_are_found_and_nothing_else() {
        check(&[], &[], "a", &[1], None);
        check(&[("a", 1)], &[], "a", &[1], Some("a"));
        check(&[("a", 2)], &[], "a", &[1], None);
        check(&[("a", 1), ("b", 2)], &[(2, "a")], "b", &[1], Some("b a"));
        check(
            &[("a", 1), ("b", 2), ("c", 3)],
            &[(2, "c"), (3, "a")],
            "b",
            &[1],
            Some("b c a"),
        );
        check(
            &[("a", 1), ("b", 2), ("c", 3)],
            &[(2, "d"), (2, "c"), (3, "a")],
            "b",
            &[1],
            Some("b c a"),
        );
        check(
            &[("b", 2), ("c", 3)],
            &[(2, "c"), (3, "b")],
            "b",
            &[1],
            None,
        );
    }
}
