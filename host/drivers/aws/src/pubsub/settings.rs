//! The settings of pub/sub.

use crate::settings::{Service, Target, Written, config, wrong};
use std::time::Duration;
use wythe_blocks::{Result, Wrong};

const SNS: Service = Service::named("sns");
const SQS: Service = Service::named("sqs");
const STS: Service = Service::named("sts");

config! {
    struct Config {
        /// Seconds for which a message of a host that is gone is hidden from others; default 10.
        message_visibility_timeout: Option<u64>,
        /// Deliveries of a message, after which it is deleted; default no limit.
        message_retry_limit: Option<u32>,
        /// True keeps messages that are over `messageRetryLimit`; default false.
        disable_delete_on_retry_limit: Option<bool>,
        /// Deliveries of a message, after which the service puts it into `sqsDeadLettersQueueName`.
        message_receive_limit: Option<u32>,
        /// The queue for messages that are over `messageReceiveLimit`.
        sqs_dead_letters_queue_name: Option<String>,
        /// Seconds for which one request waits for a message; default 2.
        message_wait_time_seconds: Option<u64>,
        /// Messages of one request; default 10.
        message_max_number: Option<u32>,
        /// True makes and uses topics and queues that keep an order; default false.
        fifo: Option<bool>,
        /// The group of all messages in topics that keep an order; default the message's key.
        #[serde(rename = "fifoMessageGroupID")]
        fifo_message_group_id: Option<String>,
        /// True makes no topic, no queue and no subscription; default false.
        disable_entity_management: Option<bool>,
        /// The number of the account, of which the service is asked otherwise; default that of the key.
        #[serde(rename = "accountID")]
        account_id: Option<String>,
    }
}

/// Settings of members, topics and queues.
pub(super) struct Settings {
    pub hidden: Duration,
    pub wait: Duration,
    pub limit: u32,
    pub retry_limit: Option<u32>,
    /// The queue of dead letters, and the deliveries before.
    pub letters: Option<(String, u32)>,
    pub is_fifo: bool,
    pub message_group: Option<String>,
}

/// A config that was found good.
pub(crate) struct Parsed {
    pub sns: Target,
    pub sqs: Target,
    pub sts: Target,
    pub(super) settings: Settings,
    pub is_managed: bool,
    pub account: Option<String>,
}

pub(crate) fn parse(mut config: Config) -> Result<Parsed, Wrong> {
    let written = config.service();
    let copy = |service| {
        let written = Written {
            region: written.region.clone(),
            endpoint: written.endpoint.clone(),
            access_key: written.access_key.clone(),
            secret_key: written.secret_key.clone(),
            session_token: written.session_token.clone(),
            timeout: written.timeout,
        };
        Target::parse(written, service)
    };
    let is_number = |id: &String| id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit());
    if config.account_id.as_ref().is_some_and(|id| !is_number(id)) {
        return Err(wrong("accountID", "expected 12 digits"));
    }
    Ok(Parsed {
        sns: copy(SNS)?,
        sqs: copy(SQS)?,
        sts: copy(STS)?,
        is_managed: !config.disable_entity_management.unwrap_or(false),
        account: config.account_id.take(),
        settings: settings(config)?,
    })
}

fn settings(config: Config) -> Result<Settings, Wrong> {
    let hidden = within(
        "messageVisibilityTimeout",
        config.message_visibility_timeout,
        10,
        1..=43_200,
    )?;
    let wait = within(
        "messageWaitTimeSeconds",
        config.message_wait_time_seconds,
        2,
        1..=20,
    )?;
    let limit = config.message_max_number.map(u64::from);
    let limit = within("messageMaxNumber", limit, 10, 1..=10)?;
    if config.message_retry_limit.is_some_and(|limit| limit < 2) {
        return Err(wrong("messageRetryLimit", "expected 2 or more"));
    }
    let letters = letters(
        config.sqs_dead_letters_queue_name,
        config.message_receive_limit,
    )?;
    let keeps = config.disable_delete_on_retry_limit.unwrap_or(false);
    let is_fifo = config.fifo.unwrap_or(false);
    if config.fifo_message_group_id.is_some() && !is_fifo {
        return Err(wrong(
            "fifoMessageGroupID",
            "expected `fifo: true` beside it",
        ));
    }
    Ok(Settings {
        hidden: Duration::from_secs(hidden),
        wait: Duration::from_secs(wait),
        limit: u32::try_from(limit).unwrap_or(10),
        // The queue of dead letters has its own limit.
        retry_limit: config
            .message_retry_limit
            .filter(|_| !keeps && letters.is_none()),
        letters,
        is_fifo,
        message_group: config.fifo_message_group_id,
    })
}

/// The queue of dead letters, and the deliveries before.
fn letters(name: Option<String>, limit: Option<u32>) -> Result<Option<(String, u32)>, Wrong> {
    match (name, limit) {
        (Some(name), Some(limit @ 1..=1_000)) => Ok(Some((name, limit))),
        (Some(_), Some(_)) => Err(wrong("messageReceiveLimit", "expected 1 to 1000")),
        (Some(_), None) => {
            let why = "expected `messageReceiveLimit` beside it";
            Err(wrong("sqsDeadLettersQueueName", why))
        }
        (None, Some(_)) => {
            let why = "expected `sqsDeadLettersQueueName` beside it";
            Err(wrong("messageReceiveLimit", why))
        }
        (None, None) => Ok(None),
    }
}

fn within(
    setting: &'static str,
    written: Option<u64>,
    default: u64,
    bounds: std::ops::RangeInclusive<u64>,
) -> Result<u64, Wrong> {
    let number = written.unwrap_or(default);
    match bounds.contains(&number) {
        true => Ok(number),
        false => {
            let (first, last) = (bounds.start(), bounds.end());
            Err(wrong(setting, &format!("expected {first} to {last}")))
        }
    }
}
