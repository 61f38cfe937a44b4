//! The beginnings of instances: an app begins so many at once, and the others wait for their turn as ids and orders.

use super::{Engine, queues::Queues, work::Work};
use crate::{Kind, panics, workflow::core::item::Item};
use std::sync::Arc;

impl Engine {
    /// Puts a job in the queue of its app, and does those that wait there, one after the other, where there is a turn.
    fn do_in_turn<T, F>(
        self: &Arc<Self>,
        queues: fn(&Engine) -> &Queues<T>,
        app: &str,
        job: T,
        run: fn(Arc<Engine>, T) -> F,
    ) where
        T: Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        if !queues(self).push(app, job) {
            return;
        }
        let (engine, app) = (self.clone(), app.to_owned());
        self.tasks.spawn(async move {
            let mut turn = queues(&engine).turn(&app);
            while let Some(job) = turn.next() {
                let what = || format!("the beginning of an instance for app `{app}`");
                let run = run(engine.clone(), job);
                let done = async {
                    run.await;
                    Ok(())
                };
                let _ = panics::caught(Kind::Internal, what, done).await;
                if engine.stopping().is_cancelled() {
                    return;
                }
            }
        });
    }

    /// Runs a new instance when its app has a turn. Should the host end before, its row says that it is to run.
    pub(super) fn begin_later(self: &Arc<Self>, app: &str, id: &str) {
        self.do_in_turn(
            |engine| &engine.begins,
            app,
            id.to_owned(),
            |engine, id| async move {
                // What went wrong is in the log, and the instance is tried again by itself.
                let _ = engine.deliver_item(&id, Item::Run).await;
            },
        );
    }

    /// Begins a child when the app of its parent has a turn; the row of the work stays until then.
    pub(super) fn bear_later(self: &Arc<Self>, parent: &str, work: Work) {
        self.do_in_turn(
            |engine| &engine.births,
            parent,
            work,
            |engine, work| async move {
                engine.perform_whole(work).await;
            },
        );
    }
}
