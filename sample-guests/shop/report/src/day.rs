//! Days of the calendar, in UTC.

/// `2026-11-25` of milliseconds since 1970, by Howard Hinnant's `civil_from_days` (2013).
pub fn of(milliseconds: u64) -> String {
    let days = milliseconds / 86_400_000 + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let part = (5 * of_year + 2) / 153;
    let day = of_year - (153 * part + 2) / 5 + 1;
    let month = if part < 10 { part + 3 } else { part - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn knows_leap_days_and_the_ends_of_years() {
        assert_eq!(of(0), "1970-01-01");
        assert_eq!(of(951_782_400_000), "2000-02-29");
        assert_eq!(of(1_709_164_800_000), "2024-02-29");
        assert_eq!(of(1_767_225_599_999), "2025-12-31");
        assert_eq!(of(1_767_225_600_000), "2026-01-01");
    }
}
