//! Encoded rows are decoded; rows that are cut or of another build are refused.

use super::*;

fn row(trigger: Trigger) -> Row {
    let job = Job {
        name: "name".into(),
        trigger,
        start: None,
        end: None,
        repeats: None,
        data: Bytes::new(),
        on_failure: FailurePolicy::Drop,
        on_misfire: Misfire::One,
    };
    Row {
        app: "app".into(),
        job,
        incarnation: 2,
        version: 3,
        due: None,
        wake: None,
        attempts: 4,
        paused: false,
        occurrences: 5,
        failure: None,
    }
}

fn full() -> Row {
    let mut row = row(Trigger::Cron {
        expression: "@daily".into(),
        time_zone: Some("Europe/Berlin".into()),
    });
    row.job.start = Some(6);
    row.job.end = Some(7);
    row.job.repeats = Some(8);
    row.job.data = Bytes::from(vec![9; 70_000]);
    row.job.on_failure = FailurePolicy::Retry {
        interval: Duration::from_millis(10),
        max_retries: Some(11),
    };
    row.job.on_misfire = Misfire::Skip;
    Row {
        due: Some(12),
        wake: Some(13),
        paused: true,
        failure: Some("ä".into()),
        ..row
    }
}

fn check(row: &Row) {
    let bytes = encode(row);
    assert_eq!(decode("app", "name", &bytes).unwrap(), *row);
    let head = Head {
        version: row.version,
        wake: row.wake,
    };
    assert_eq!(Head::decode(&bytes).unwrap(), head);
    for length in 0..bytes.len() - row.job.data.len() {
        assert!(
            decode("app", "name", &bytes[..length]).is_err(),
            "{length} bytes"
        );
    }
}

#[test]
fn what_is_encoded_is_decoded() {
    check(&row(Trigger::Once(u64::MAX)));
    check(&row(Trigger::Every(Duration::from_millis(1))));
    check(&full());
    let mut endless = full();
    endless.job.on_failure = FailurePolicy::Retry {
        interval: Duration::from_millis(1),
        max_retries: None,
    };
    endless.job.on_misfire = Misfire::All;
    endless.job.trigger = Trigger::Cron {
        expression: "* * * * * *".into(),
        time_zone: None,
    };
    check(&endless);
}

#[test]
fn the_layout_is_fixed() {
    let mut small = row(Trigger::Once(1));
    small.wake = Some(6);
    small.job.data = Bytes::from_static(b"d");
    let mut expected = vec![1, 1, 0];
    for number in [3u64, 6, 2, 5] {
        expected.extend(number.to_le_bytes());
    }
    expected.extend(4u32.to_le_bytes());
    expected.push(0);
    expected.extend(1u64.to_le_bytes());
    expected.extend([0, b'd']);
    assert_eq!(encode(&small), expected);
}

#[test]
fn a_newer_format_is_named() {
    let error = decode("app", "name", &[2, 0]).unwrap_err();
    assert_eq!(
        error.message(),
        "a stored job has format 2; this build reads up to 1"
    );
}

#[test]
fn unknown_flags_are_damage() {
    let mut bytes = encode(&row(Trigger::Once(1)));
    bytes[2] = 0x80;
    assert_eq!(
        decode("app", "name", &bytes).unwrap_err().message(),
        "a stored job is damaged: expected format, flags, version and the rest of a row"
    );
}
