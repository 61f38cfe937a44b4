//! Quotas of which the host measures the use: their keys, amounts and reference.

use super::{problems_of, read};
use crate::{Metered, Same, Unit, terms::HostFile};

#[test]
fn quotas_that_are_measured_are_read_each_by_its_own_key() {
    let head = "apiVersion: wythe/v1\nkind: Tenant\nspec: { quotas: { ";
    let tenant = "a".parse().unwrap();
    for quota in Metered::ALL {
        let key = quota.key();
        let amount = match quota.unit() {
            Unit::Milliseconds => "2000s",
            _ => "2000000",
        };
        let (file, problems) = read(&format!("{head}{key}: {amount} }} }}\n"));
        assert!(
            problems.is_empty() && problems_of(&file, "a").is_empty(),
            "{key}"
        );
        let quotas = file.terms(&tenant).quotas;
        for other in Metered::ALL {
            let expected = if other == quota {
                2_000_000
            } else {
                other.default_amount()
            };
            assert_eq!(quotas.amount(other), expected, "{key}: {other:?}");
        }
        assert!(
            !quotas.is_same(&HostFile::default().terms(&tenant).quotas),
            "{key}"
        );
        let (wrong, _) = read(&format!("{head}{key}: none }} }}\n"));
        let found = problems_of(&wrong, "a").join("\n");
        assert!(
            found.contains(&format!("spec.quotas.{key}: expected")),
            "{found}"
        );
    }
    let (small, _) = read(&format!("{head}memory: 1KiB }} }}\n"));
    let expected = "spec.quotas.memory: expected 1MiB to 1024GiB, found `1KiB`";
    assert!(
        problems_of(&small, "a")[0].ends_with(expected),
        "{:?}",
        problems_of(&small, "a")
    );
}

/// The reference says what is true.
#[test]
fn the_reference_has_each_quota_with_its_default() {
    let reference = include_str!("../../../README.md");
    for quota in Metered::ALL {
        let amount = match quota.unit() {
            Unit::Bytes | Unit::BytesPerSecond => match quota.default_amount() >> 20 {
                small @ ..1_024 => format!("{small} MiB"),
                large => format!("{} GiB", large >> 10),
            },
            Unit::Milliseconds => format!("{} s", quota.default_amount() / 1_000),
            Unit::Count | Unit::PerSecond => match quota.default_amount() {
                small @ ..1_000 => small.to_string(),
                large @ ..1_000_000 => format!("{},{:03}", large / 1_000, large % 1_000),
                million => format!("{},000,000", million / 1_000_000),
            },
        };
        let row = format!("| `quotas.{}` | {amount} |", quota.key());
        assert!(reference.contains(&row), "{row}");
    }
}
