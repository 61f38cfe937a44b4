//! The two tasks of a member: one reads what is new, and one holds on to what is there and looks for what others left.

use super::{
    desk::Desk,
    message::{self, Incoming},
    scripts,
};
use crate::{
    failure::{self, Effect},
    link::Link,
};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};
use wythe_blocks::{
    Backoff, Error, Result,
    time::{Clock as _, milliseconds},
};

/// The time that the server waits for a message before it answers that there is none.
const BLOCK: Duration = Duration::from_secs(5);
/// Bytes of messages that are read at once; the last one may be beyond them.
const BYTES: usize = 8 << 20;
/// The pause after reading has failed.
const PAUSE: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));
/// The time after which a member that has nothing, and says nothing, is removed.
const GONE: Duration = Duration::from_secs(3_600);
/// The pace at which the second task sees what it has to do.
const TICK: Duration = Duration::from_millis(500);

/// Reads as long as somebody pulls.
pub(super) async fn read(desk: Arc<Desk>) {
    let (mut link, mut pause) = (None, PAUSE);
    loop {
        let room = desk.room();
        if room == 0 {
            desk.demand.notified().await;
            continue;
        }
        match read_some(&desk, &mut link, room).await {
            Ok(incoming) => {
                pause.reset();
                desk.add(incoming);
            }
            Err(error) => {
                link = None;
                desk.fail(error);
                sleep(pause.fail_apart()).await;
            }
        }
    }
}

/// Waits for one message, on a connection of its own, and takes those that are there with it.
async fn read_some(desk: &Desk, link: &mut Option<Link>, room: usize) -> Result<Vec<Incoming>> {
    let link = match link {
        Some(link) => link,
        None => link.insert(desk.client.connect().await?),
    };
    let mut read = redis::cmd("XREADGROUP");
    read.arg("GROUP").arg(&desk.group).arg(&desk.name);
    read.arg("COUNT")
        .arg(1)
        .arg("BLOCK")
        .arg(milliseconds(BLOCK));
    read.arg("STREAMS").arg(&desk.stream).arg(">");
    let answer = timeout(
        BLOCK + desk.client.target.call,
        read.query_async(&mut link.connection),
    );
    let Ok(answer) = answer.await else {
        return Err(failure::late(Effect::Read, "a message"));
    };
    let mut incoming = match answer {
        Ok(value) => message::entries(value)?,
        // The server has lost the group, or somebody removed it: all that came since is read.
        Err(error) if error.code() == Some("NOGROUP") => {
            renew(desk).await?;
            return Ok(Vec::new());
        }
        Err(error) => return Err(failure::of_call(error, Effect::Read, "a message")),
    };
    if incoming.is_empty() || room == 1 {
        return Ok(incoming);
    }
    match fill(desk, room - 1).await {
        Ok(more) => incoming.extend(more),
        // The first one is there, and the others come again.
        Err(error) => tracing::debug!(topic = desk.stream, "read: {}", error.chain()),
    }
    Ok(incoming)
}

async fn renew(desk: &Desk) -> Result<()> {
    tracing::warn!(
        topic = desk.stream,
        group = desk.group,
        "the server has lost the group, which begins anew with what is there"
    );
    desk.enter("0").await
}

async fn fill(desk: &Desk, count: usize) -> Result<Vec<Incoming>> {
    let arguments = [
        desk.group.clone(),
        desk.name.clone(),
        count.to_string(),
        BYTES.to_string(),
    ];
    let call = scripts::call(&desk.stream, arguments);
    let answer = desk
        .client
        .run(Effect::Read, "messages", &scripts::FILL, &call);
    message::incoming(answer.await?)
}

/// Holds on to what the member has, and takes over what is left of others.
pub(super) async fn look(desk: Arc<Desk>, mut left: watch::Receiver<(usize, u64)>) {
    let settings = &desk.settings;
    let beat = settings.processing / 3;
    let (mut next_beat, mut next_look) = (Instant::now().after(beat), Instant::now());
    loop {
        if left.has_changed().unwrap_or(false) {
            left.borrow_and_update();
            next_look = Instant::now();
        }
        let now = Instant::now();
        if now >= next_beat {
            report(&desk, desk.hold(&desk.all()).await);
            next_beat = now.after(beat);
        }
        let room = desk.room();
        if now >= next_look && room > 0 {
            match claim(&desk, room).await {
                Ok(incoming) => {
                    next_look = match incoming.is_empty() {
                        true => now.after(settings.look),
                        // There may be more of them.
                        false => now,
                    };
                    desk.add(incoming);
                }
                Err(error) => {
                    next_look = now.after(settings.look.min(PAUSE.last()));
                    report(&desk, Err(error));
                }
            }
        }
        tokio::select! {
            () = sleep(TICK.min(beat)) => {}
            _ = left.changed() => next_look = Instant::now(),
        }
    }
}

fn report(desk: &Desk, result: Result<(), Error>) {
    if let Err(error) = result {
        tracing::debug!(topic = desk.stream, "look: {}", error.chain());
    }
}

async fn claim(desk: &Desk, count: usize) -> Result<Vec<Incoming>> {
    let settings = &desk.settings;
    let arguments = [
        desk.group.clone(),
        desk.name.clone(),
        milliseconds(settings.processing).to_string(),
        count.to_string(),
        BYTES.to_string(),
        milliseconds(GONE).to_string(),
    ];
    let call = scripts::call(&desk.stream, arguments);
    let answer = desk
        .client
        .run(Effect::Read, "messages", &scripts::CLAIM, &call);
    message::incoming(answer.await?)
}
