//! The beginnings of instances: an app begins so many at once, and the others wait for their turn as ids and orders.

use super::{Engine, work::Work};
use crate::{Kind, panics, workflow::core::item::Item};
use std::sync::Arc;

impl Engine {
    /// Runs a new instance when its app has a turn. Should the host end before, its row says that it is to run.
    pub(super) fn begin_later(self: &Arc<Self>, app: &str, id: &str) {
        if !self.begins.push(app, id.to_owned()) {
            return;
        }
        let (engine, app) = (self.clone(), app.to_owned());
        self.tasks.spawn(async move {
            let mut turn = engine.begins.turn(&app);
            while let Some(id) = turn.next() {
                // What went wrong is in the log, and the instance is tried again by itself.
                let what = || format!("the beginning of instance `{id}`");
                let begin = engine.deliver_item(&id, Item::Run);
                let _ = panics::caught(Kind::Internal, what, begin).await;
                if engine.stopping().is_cancelled() {
                    return;
                }
            }
        });
    }

    /// Begins a child when the app of its parent has a turn; the row of the work stays until then.
    pub(super) fn bear_later(self: &Arc<Self>, parent: String, work: Work) {
        if !self.births.push(&parent, work) {
            return;
        }
        let engine = self.clone();
        self.tasks.spawn(async move {
            let mut turn = engine.births.turn(&parent);
            while let Some(work) = turn.next() {
                let what = || "the start of a child".to_owned();
                let whole = async {
                    engine.perform_whole(work).await;
                    Ok(())
                };
                let _ = panics::caught(Kind::Internal, what, whole).await;
                if engine.stopping().is_cancelled() {
                    return;
                }
            }
        });
    }
}
