//! The two tasks of a member: one asks for messages as long as somebody pulls, and one holds on to what is there.

use super::{desk::Desk, message::delivered};
use crate::{
    failure::{self, Effect},
    link::Inbox,
    wire::Outgoing,
};
use serde_json::json;
use std::{sync::Arc, time::Duration};
use tokio::time::{sleep, timeout};
use wythe_blocks::{Backoff, Error, Result, time::nanoseconds};

/// The time that the server waits for a message before it answers that there is none.
const BLOCK: Duration = Duration::from_secs(5);
/// Bytes of the messages of one request, or one message where it may be larger.
const BYTES: u64 = 32 << 20;
/// Bytes of a message beside its payload: the server counts its subjects, too.
const SUBJECTS: u64 = 64 << 10;
/// The pause after reading has failed.
const PAUSE: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));

/// Reads as long as somebody pulls, until the member leaves.
pub(super) async fn read(desk: Arc<Desk>) {
    let mut inbox = None;
    tokio::select! {
        biased;
        () = desk.stop.cancelled() => {}
        () = read_on(&desk, &mut inbox) => {}
    }
    if let Some((inbox, _)) = &inbox {
        // What has come until now is given back with the rest.
        let left = timeout(desk.client.target.timeout, inbox.finish()).await;
        let left = left.unwrap_or_default().into_iter();
        desk.add(left.filter_map(delivered).collect());
    }
    desk.is_read.cancel();
}

/// An inbox, and the number of the last request whose messages come to it.
type Position = Option<(Inbox, u64)>;

async fn read_on(desk: &Desk, position: &mut Position) {
    let mut pause = PAUSE;
    loop {
        let room = desk.room();
        if room == 0 {
            desk.demand.notified().await;
            continue;
        }
        match read_some(desk, position, room).await {
            Ok(()) => pause.reset(),
            Err(error) => {
                desk.fail(error);
                sleep(pause.fail_apart()).await;
            }
        }
    }
}

/// Takes what is there, or waits for a message.
async fn read_some(desk: &Desk, position: &mut Position, room: usize) -> Result<()> {
    if position
        .as_ref()
        .is_none_or(|(inbox, _)| !inbox.link().is_alive())
    {
        *position = Some((desk.client.link().await?.inbox(), 0));
    }
    let Some((inbox, number)) = position else {
        return Ok(());
    };
    for wait in [Duration::ZERO, BLOCK] {
        *number += 1;
        if request(desk, inbox, *number, room, wait).await? > 0 {
            break;
        }
    }
    Ok(())
}

/// Sends a request for so many messages.
async fn ask(desk: &Desk, inbox: &Inbox, reply: &str, batch: usize, wait: Duration) -> Result<()> {
    let bytes = BYTES.max(desk.client.max_payload().saturating_add(SUBJECTS));
    let body = match wait {
        Duration::ZERO => json!({ "batch": batch, "max_bytes": bytes, "no_wait": true }),
        wait => json!({ "batch": batch, "max_bytes": bytes, "expires": nanoseconds(wait) }),
    };
    let (target, group) = (&desk.client.target, &desk.group);
    let subject = format!(
        "{}.CONSUMER.MSG.NEXT.{}.{}",
        target.prefix, group.stream, group.consumer
    );
    let request = Outgoing::new(subject, body.to_string());
    let asked = timeout(target.timeout, inbox.link().publish(request, reply));
    let asked = asked.await.map_err(|_| failure::unsent())?;
    asked.map_err(|lost| lost.error(Effect::Read, "messages"))
}

/// Asks for messages once, and takes them until the answer is over. Returns their number.
async fn request(
    desk: &Desk,
    inbox: &Inbox,
    number: u64,
    batch: usize,
    wait: Duration,
) -> Result<usize> {
    let reply = inbox.subject(number);
    ask(desk, inbox, &reply, batch, wait).await?;
    let limit = desk.client.target.timeout;
    let mut count = 0;
    while count < batch {
        let Ok(came) = timeout(wait + limit, inbox.next()).await else {
            inbox.link().doubt();
            // Servers before 2.10 say nothing of a group that is not there.
            look(desk).await?;
            return Err(failure::late(Effect::Read, "messages"));
        };
        let came = came.map_err(|_| failure::broken(Effect::Read, "messages"))?;
        let (words, messages): (Vec<_>, Vec<_>) =
            came.into_iter().partition(|one| one.status.is_some());
        let messages: Vec<_> = messages.into_iter().filter_map(delivered).collect();
        count += messages.len();
        desk.add(messages);
        // One about a request of before says nothing of this one, and 100 that the server is still there.
        let words = words.iter().filter(|word| word.subject == reply);
        let mut codes = words.filter_map(|word| word.status);
        match codes.find(|code| *code != 100) {
            None => {}
            Some(404 | 408) => break,
            // The next one has no room in the bytes of this request; another reason is there at the next one, too.
            Some(409) if count > 0 => break,
            Some(_) => {
                look(desk).await?;
                return Err(Error::unavailable(
                    "the group is not ready at the server; it is asked again",
                ));
            }
        }
    }
    Ok(count)
}

/// Looks whether the group is there, and has it begin anew where it is not.
async fn look(desk: &Desk) -> Result<()> {
    if desk.streams.renew(&desk.group).await? {
        desk.clear();
    }
    Ok(())
}

/// Says of what the member has that it is still here, three times within the time that the server waits for that.
pub(super) async fn hold(desk: Arc<Desk>) {
    let beat = desk.streams.settings.ack_wait / 3;
    loop {
        tokio::select! {
            () = desk.stop.cancelled() => return,
            () = sleep(beat) => {}
        }
        if let Err(error) = desk.hold().await {
            tracing::debug!(topic = desk.group.topic, "hold: {}", error.chain());
        }
    }
}
