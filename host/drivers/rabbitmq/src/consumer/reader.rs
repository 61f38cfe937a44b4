//! The task of a member: it reads what the server gives, and begins anew when the connection breaks.

use super::{
    Source, count,
    desk::{self, Desk, Incoming},
};
use crate::client::Side;
use futures::{FutureExt as _, StreamExt as _, stream::SelectAll};
use lapin::{
    Channel, Consumer,
    options::{BasicConsumeOptions, BasicQosOptions},
    types::FieldTable,
};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, sleep};
use wythe_blocks::{Backoff, Error, Result};

/// The first pause after reading has failed.
const PAUSE: Duration = Duration::from_millis(50);

/// A channel on which the queue is there.
pub(super) struct Opened {
    pub channel: Channel,
    /// The sign that a member is there, by which a queue does not end with another one.
    first: Option<Consumer>,
}

pub(super) async fn open(source: &Source) -> Result<Opened> {
    let client = &source.client;
    let channel = client.channel(Side::Consuming).await?;
    source.queue.declare(client, &channel).await?;
    let first = match source.queue.is_passing {
        true => Some(consume(source, &channel, 1).await?),
        false => None,
    };
    Ok(Opened { channel, first })
}

/// Reads on this channel first, and then on others.
pub(super) async fn read(source: Arc<Source>, desk: Arc<Desk>, first: Opened) {
    let mut pause = Backoff::new(PAUSE, source.client.target.reconnect);
    let mut opened = Ok(first);
    loop {
        let error = match opened {
            Ok(opened) => {
                desk.begin(opened.channel.clone());
                let begun = Instant::now();
                let error = session(&source, &desk, opened).await;
                pause.lasted(begun.elapsed());
                error
            }
            Err(error) => error,
        };
        tracing::debug!(queue = %source.queue.name, "read: {}", error.chain());
        desk.fail(error);
        sleep(pause.fail_apart()).await;
        opened = open(&source).await;
    }
}

/// Reads until something fails.
async fn session(source: &Source, desk: &Desk, opened: Opened) -> Error {
    let Opened { channel, first } = opened;
    let mut asked = usize::from(first.is_some());
    let mut streams: SelectAll<_> = first.into_iter().collect();
    loop {
        let wanted = desk.wanted();
        if wanted > asked {
            match consume(source, &channel, wanted - asked).await {
                Ok(consumer) => streams.push(consumer),
                Err(error) => return error,
            }
            asked = wanted;
        }
        if streams.is_empty() && asked > 0 {
            return Error::unavailable("the server ended the subscription");
        }
        tokio::select! {
            () = desk.demand.notified() => {}
            delivery = streams.next(), if !streams.is_empty() => {
                // Whatever is there already goes with it, so that it can be pulled at once.
                let mut next = Some(delivery);
                while let Some(Some(delivery)) = next {
                    if let Err(error) = take(source, desk, delivery) {
                        return error;
                    }
                    next = streams.next().now_or_never();
                }
            }
            () = watch(&channel), if streams.is_empty() => {
                return Error::unavailable("the connection to the server broke");
            }
        }
    }
}

/// Waits for the end of a channel on which nothing is read.
async fn watch(channel: &Channel) {
    while channel.status().connected() {
        sleep(Duration::from_millis(200)).await;
    }
}

/// Has the server give so many more at once: each consumer has places of its own.
async fn consume(source: &Source, channel: &Channel, places: usize) -> Result<Consumer> {
    let (client, about) = (&source.client, source.queue.about());
    let count = u16::try_from(places).unwrap_or(u16::MAX);
    let bounded = channel.basic_qos(count, BasicQosOptions::default());
    client.bound(&about, bounded).await?;
    let consumed = channel.basic_consume(
        source.queue.name.clone(),
        "".into(),
        BasicConsumeOptions::default(),
        FieldTable::default(),
    );
    client.bound(&about, consumed).await
}

fn take(
    source: &Source,
    desk: &Desk,
    delivery: lapin::Result<lapin::message::Delivery>,
) -> Result<()> {
    let delivery = desk::read(delivery)?;
    let (attempt, next) = count::attempts(
        source.queue.kind,
        &delivery.properties,
        delivery.redelivered,
    );
    let incoming = Incoming {
        data: delivery.data.into(),
        properties: delivery.properties,
        attempt,
        next,
    };
    desk.add(delivery.delivery_tag, incoming)
}
