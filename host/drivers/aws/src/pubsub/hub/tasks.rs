//! The two tasks of a hub: one receives, one keeps what was received from others.

use super::Hub;
use crate::queue::{Taking, is_absent};
use std::{collections::HashSet, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep};
use wythe_blocks::{Backoff, time::Clock as _};

/// Pauses after a receive that failed.
const PAUSE: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(5));

/// Receives as long as somebody waits.
pub(super) async fn receive(hub: Arc<Hub>) {
    let mut pause = PAUSE;
    while !hub.is_over() {
        if !hub.is_wanted() {
            hub.demand.notified().await;
            continue;
        }
        let settings = &hub.entities.settings;
        let taking = Taking {
            limit: settings.limit,
            hidden: settings.hidden,
            wait: settings.wait,
        };
        let error = match hub.queue().take(taking).await {
            Ok(taken) => {
                pause.reset();
                let over = hub.entities.sort_out(&hub.queue(), taken).await;
                let strange = hub.add(over);
                if hub.is_over() {
                    hub.give_back(strange).await;
                    return;
                }
                // Those that nobody here wants go to others once their time is over.
                hub.arrival.notify_waiters();
                continue;
            }
            Err(fault) if is_absent(&fault) => match hub.renew().await {
                Ok(()) => continue,
                Err(error) => error,
            },
            Err(fault) => fault.of_read("the queue"),
        };
        hub.fail(&error);
        hub.arrival.notify_waiters();
        sleep(pause.fail_apart()).await;
    }
}

/// Keeps what members and shelves have from others, as long as the process lives.
pub(super) async fn hold(hub: Arc<Hub>) {
    let hidden = hub.entities.settings.hidden;
    loop {
        sleep(hidden / 3).await;
        let handles = hub.all();
        if handles.is_empty() {
            continue;
        }
        let until = Instant::now().after(hidden);
        match hub.queue().hide(&handles, hidden).await {
            Ok(done) => {
                let hidden: HashSet<_> = handles
                    .iter()
                    .zip(done)
                    .filter_map(|(handle, is_done)| is_done.then_some(handle))
                    .collect();
                let mut state = hub.state.lock();
                let shelves = state.shelves.values_mut();
                let ready = shelves.flat_map(|shelf| &mut shelf.ready);
                let held = ready.filter(|held| hidden.contains(&held.taken.handle));
                held.for_each(|held| held.until = until);
            }
            Err(fault) => hub.report(fault),
        }
    }
}
