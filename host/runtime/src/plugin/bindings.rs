//! A driver of the bindings block that is a plugin: an outside system that apps call, one that calls apps, or both.

mod world;

use super::{
    ATTEMPTS,
    plugged::{Effect, Plugged},
};
use crate::bindings::plugin::exports::wythe::plugin::input_binding_driver as wit;
use async_trait::async_trait;
use bytes::Bytes;
use std::{
    sync::{Arc, atomic::AtomicU64},
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;
use world::BindingWorld;
use wythe_blocks::{
    Backoff, Error, Result,
    bindings::{Delivery, Driver, Features, Outcome, Request, Sink},
};

/// Deliveries that are asked for at once; the app gets them one after the other.
const PULL: u32 = 16;
/// The pause between two pulls that found nothing, or what was refused: from the first to the last, doubling.
const WAIT: Backoff = Backoff::new(FIRST_WAIT, LAST_WAIT);
const FIRST_WAIT: Duration = Duration::from_millis(1);
const LAST_WAIT: Duration = Duration::from_millis(100);
/// The time for a verdict, however often the plugin fails meanwhile.
const SETTLE: Duration = Duration::from_secs(30);
/// The time by which the host waits longer, so that the plugin's own limit speaks first.
const GRACE: Duration = Duration::from_secs(1);
/// Bytes of a receipt, and operations with the bytes of their names.
const RECEIPT: usize = 1 << 10;
const OPERATIONS: usize = 256;
const NAME: usize = 256;

struct BindingDriver {
    plugged: Arc<Plugged<BindingWorld>>,
    features: Features,
}

pub async fn open(plugged: Arc<Plugged<BindingWorld>>) -> Result<Arc<dyn Driver>> {
    let features = plugged
        .run(Effect::Reads, |drivers, store, _| {
            Box::pin(async move {
                let mut features = Features::default();
                if let Some(output) = &drivers.output {
                    features.operations = output.call_operations(&mut *store).await?;
                    features.secrets = output.call_takes_secrets(&mut *store).await?;
                }
                if let Some(input) = &drivers.input {
                    features.input = true;
                    features.redelivers = input.call_redelivers(store).await?;
                }
                Ok(features)
            })
        })
        .await?;
    let named = |name: &String| (1..=NAME).contains(&name.len());
    let operations = &features.operations;
    let ordered = operations.is_sorted_by(|a, b| a < b);
    if !ordered || operations.len() > OPERATIONS || !operations.iter().all(named) {
        return Err(plugged.violation(
            "answered with operations that are out of order, too many, or without a good name",
        ));
    }
    Ok(Arc::new(BindingDriver { plugged, features }))
}

impl BindingDriver {
    async fn pull(&self) -> Result<Vec<wit::Delivery>> {
        let pulled = self
            .plugged
            .run(Effect::Reads, |drivers, store, _| {
                Box::pin(async move {
                    let Some(input) = &drivers.input else {
                        return Ok(Vec::new());
                    };
                    Ok(input.call_pull(store, PULL).await??)
                })
            })
            .await?;
        if pulled.len() > PULL as usize {
            let what = "answered `pull` with more deliveries than asked for";
            return Err(self.plugged.violation(what));
        }
        if pulled.iter().any(|one| one.receipt.len() > RECEIPT) {
            let what = "answered with a receipt longer than 1 KiB";
            return Err(self.plugged.violation(what));
        }
        Ok(pulled)
    }

    /// Tells what the app said, again where the plugin was starting anew; then the plugin may deliver once more.
    async fn settle(&self, receipt: Vec<u8>, answer: wit::Answer) -> Result<()> {
        let until = Instant::now() + SETTLE;
        loop {
            let (receipt, answer) = (receipt.clone(), answer.clone());
            let settled = self
                .plugged
                .run(Effect::Reads, move |drivers, store, _| {
                    Box::pin(async move {
                        let Some(input) = &drivers.input else {
                            return Ok(());
                        };
                        Ok(input.call_settle(store, &receipt, &answer).await??)
                    })
                })
                .await;
            match settled {
                Err(error) if error.kind().is_temporary() && Instant::now() < until => {
                    let pause = error.retry_after().unwrap_or(LAST_WAIT);
                    let pause = pause.max(FIRST_WAIT);
                    tokio::time::sleep(pause.min(until.saturating_duration_since(Instant::now())))
                        .await;
                }
                settled => return settled,
            }
        }
    }

    /// True if the app took it.
    async fn deliver(&self, sink: &dyn Sink, delivery: wit::Delivery) -> Result<bool> {
        let wit::Delivery {
            data,
            metadata,
            attempt,
            receipt,
        } = delivery;
        let delivered = sink.deliver(Delivery {
            data: data.into(),
            metadata,
            attempt: attempt.clamp(1, ATTEMPTS),
        });
        let answer = match delivered.await {
            Ok(bytes) => wit::Answer::Ack(bytes.into()),
            Err(error) => wit::Answer::Nack(error.message().to_owned()),
        };
        let taken = matches!(answer, wit::Answer::Ack(_));
        self.settle(receipt, answer).await?;
        Ok(taken)
    }
}

#[async_trait]
impl Driver for BindingDriver {
    fn features(&self) -> Features {
        self.features.clone()
    }

    fn patience(&self) -> Option<Duration> {
        Some(self.plugged.patience().saturating_add(GRACE))
    }

    async fn invoke(&self, request: Request<'_>) -> Result<Outcome> {
        let operation = request.operation.to_owned();
        let (data, metadata): (Bytes, _) = (request.data.clone(), request.metadata.to_vec());
        let outcome = self
            .plugged
            .run(Effect::Writes, move |drivers, store, _| {
                Box::pin(async move {
                    let Some(output) = &drivers.output else {
                        let message = format!("no operation `{operation}`");
                        return Err(Error::unsupported(message).into());
                    };
                    Ok(output
                        .call_invoke(store, &operation, &data, &metadata)
                        .await??)
                })
            })
            .await?;
        Ok(outcome.into())
    }

    async fn read(&self, sink: Arc<dyn Sink>, stop: CancellationToken) -> Result<()> {
        let mut wait = WAIT;
        let asked = AtomicU64::new(0);
        while !stop.is_cancelled() {
            let pulled = self.pull().await?;
            let mut taken = !pulled.is_empty();
            // What was pulled is settled, also when the host stops meanwhile.
            for delivery in pulled {
                taken &= self.deliver(&*sink, delivery).await?;
            }
            let pause = async {
                self.plugged.rest(&asked).await;
                match taken {
                    true => wait.reset(),
                    false => tokio::time::sleep(wait.fail()).await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = pause => {}
            }
        }
        Ok(())
    }
}
