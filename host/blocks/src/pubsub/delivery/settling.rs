//! Settling by a verdict: the broker is asked again until it answers, so that one which fails for a while loses nothing.

use super::{Loop, RETRY};
use crate::{
    Call, Error, Kind, Result, Trace,
    pubsub::{
        ACK, BURY, Consumer, Message, NACK, PUBLISH, Received, Verdict,
        letter::{self, Death},
    },
    time,
};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Attempts at settling with a broker whose answer another attempt does not change.
const TRIES: u32 = 10;
/// Bytes of a reason in the log.
const LOGGED: usize = 200;

/// The end of a delivery.
enum End<'a> {
    Ack,
    Again(Duration),
    Bury(&'a str, Message),
}

impl Loop {
    /// Tells the broker, again with pauses until it knows, or says that the delivery is over. Told to stop meanwhile, the
    /// loop leaves its consumer: then the broker delivers again.
    pub(super) async fn settle(
        &self,
        trace: Trace,
        received: &Received,
        verdict: Verdict,
        consumer: &dyn Consumer,
        stop: &CancellationToken,
    ) {
        let end = self.end(received, verdict);
        for failures in 1.. {
            let Err(error) = self
                .answer(&self.caller(trace), received, &end, consumer)
                .await
            else {
                return;
            };
            let topic = &self.subscription.topic;
            if error.kind() == Kind::NotFound {
                return tracing::debug!(topic, "settle: {}", error.chain());
            }
            tracing::warn!(app = %self.app.id(), topic, failures, "settle: {}", error.chain());
            if failures >= TRIES && !may_pass(error.kind()) {
                return;
            }
            if !time::pause(stop, RETRY.after(failures)).await {
                return;
            }
        }
    }

    fn end(&self, received: &Received, verdict: Verdict) -> End<'_> {
        let topic = &self.subscription.topic;
        let reason = match verdict {
            Verdict::Ack | Verdict::Drop => return End::Ack,
            Verdict::Retry(after) => {
                return End::Again(after.unwrap_or_else(|| RETRY.after(received.attempt)));
            }
            Verdict::DeadLetter(reason) => reason,
        };
        let Some(dead) = &self.subscription.dead_letter_topic else {
            if reason != super::NO_ROUTE {
                let reason = &reason[..reason.floor_char_boundary(LOGGED)];
                tracing::warn!(app = %self.app.id(), topic, reason, "dropped: there is no dead letter topic");
            }
            return End::Ack;
        };
        let (component, cut) = (self.component.name(), reason.floor_char_boundary(LOGGED));
        // Not every broker lets an operator look at what it has.
        let next = match self.component.driver().driver.features().dead_letters {
            true => format!(
                "; see `wythe pubsub dead {component} {dead}`, and send it back by `wythe pubsub redrive`"
            ),
            false => String::new(),
        };
        tracing::warn!(
            app = %self.app.id(),
            topic,
            reason = &reason[..cut],
            attempts = received.attempt,
            "an event is given up, and goes to `{dead}`{next}"
        );
        let death = Death {
            reason: &reason,
            attempts: received.attempt,
        };
        let seal = &self.component.driver().seal;
        let (from, to) = (self.scope(topic), self.scope(dead));
        End::Bury(
            dead,
            letter::bury(seal, from, to, &received.message, &death),
        )
    }

    async fn answer(
        &self,
        caller: &Call,
        received: &Received,
        end: &End<'_>,
        consumer: &dyn Consumer,
    ) -> Result<()> {
        let receipt = &received.receipt;
        let component = &self.component;
        match end {
            End::Again(delay) => {
                let nack = |_: &_| consumer.nack(receipt.clone(), *delay);
                return component.call(caller, NACK, nack).await;
            }
            End::Bury(dead, letter) if component.driver().driver.features().dead_letters => {
                let bury = |_: &_| consumer.bury(receipt.clone(), dead, letter.clone());
                return component.call(caller, BURY, bury).await;
            }
            // The dead letter is with the broker before the original is acknowledged.
            End::Bury(dead, letter) => {
                let publish =
                    component.call(caller, PUBLISH, |d| d.driver.letter(dead, letter.clone()));
                publish.await?;
            }
            End::Ack => {}
        }
        let ack = |_: &_| async {
            let mut answers = consumer.ack(vec![receipt.clone()]).await;
            let lost = || Err(Error::internal("the driver lost an answer"));
            answers.pop().unwrap_or_else(lost)
        };
        component.call(caller, ACK, ack).await
    }
}

/// Returns whether the same call may succeed later.
fn may_pass(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Unavailable | Kind::Exhausted | Kind::Timeout | Kind::UnknownOutcome
    )
}
