//! Queues of each app: so many of its jobs run at once, and the others wait as values, which a task each would not be.

use parking_lot::{Mutex, MutexGuard};
use std::collections::{HashMap, VecDeque};

pub(super) struct Queues<T> {
    /// Jobs of one app that run at once.
    at_once: usize,
    by_app: Mutex<HashMap<String, Queue<T>>>,
}

struct Queue<T> {
    running: usize,
    waiting: VecDeque<T>,
}

/// The turn of one who runs an app's jobs, one after the other; it ends with this value, by a panic as well.
pub(super) struct Turn<'a, T> {
    queues: &'a Queues<T>,
    app: &'a str,
    is_over: bool,
}

impl<T> Queues<T> {
    pub fn new(at_once: usize) -> Self {
        let by_app = Mutex::default();
        Queues { at_once, by_app }
    }

    /// Puts a job at the end of its app's queue, and returns whether there is a turn for one more who runs them.
    pub fn push(&self, app: &str, job: T) -> bool {
        let mut by_app = self.lock();
        let queue = match by_app.get_mut(app) {
            Some(queue) => queue,
            None => by_app.entry(app.to_owned()).or_insert(Queue {
                running: 0,
                waiting: VecDeque::new(),
            }),
        };
        queue.waiting.push_back(job);
        let has_turn = queue.running < self.at_once;
        queue.running += usize::from(has_turn);
        has_turn
    }

    /// The turn that [`Queues::push`] had.
    pub fn turn<'a>(&'a self, app: &'a str) -> Turn<'a, T> {
        Turn {
            queues: self,
            app,
            is_over: false,
        }
    }

    /// Jobs of all apps that wait.
    pub fn waiting(&self) -> usize {
        self.lock().values().map(|queue| queue.waiting.len()).sum()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Queue<T>>> {
        self.by_app.lock()
    }
}

impl<T> Turn<'_, T> {
    /// Takes the first job that waits; where none does, the turn is over.
    pub fn next(&mut self) -> Option<T> {
        let mut by_app = self.queues.lock();
        let job = by_app.get_mut(self.app)?.waiting.pop_front();
        if job.is_none() {
            self.end(&mut by_app);
        }
        job
    }

    fn end(&mut self, by_app: &mut HashMap<String, Queue<T>>) {
        if std::mem::replace(&mut self.is_over, true) {
            return;
        }
        if let Some(queue) = by_app.get_mut(self.app) {
            queue.running -= 1;
            if queue.running == 0 && queue.waiting.is_empty() {
                by_app.remove(self.app);
            }
        }
    }
}

impl<T> Drop for Turn<'_, T> {
    fn drop(&mut self) {
        let queues = self.queues;
        self.end(&mut queues.lock());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_has_so_many_turns_and_no_job_is_left_behind() {
        let queues = Queues::new(2);
        let has_turn: Vec<_> = (0..5).map(|job| queues.push("a", job)).collect();
        assert_eq!(has_turn, [true, true, false, false, false]);
        assert!(queues.push("b", 9), "an app has its own turns");
        let (mut first, mut second) = (queues.turn("a"), queues.turn("a"));
        assert_eq!((first.next(), second.next()), (Some(0), Some(1)));
        // The runner of a job panics.
        drop(second);
        assert!(queues.push("a", 5));
        let mut third = queues.turn("a");
        let jobs: Vec<_> = std::iter::from_fn(|| first.next()).collect();
        assert_eq!(jobs, [2, 3, 4, 5]);
        assert_eq!(third.next(), None);
        assert!(queues.push("a", 6), "its turn is over once nothing waits");
        assert_eq!(queues.turn("a").next(), Some(6));
        assert_eq!(queues.turn("b").next(), Some(9));
        assert_eq!(queues.waiting(), 0);
        assert!(queues.lock().is_empty());
    }
}
