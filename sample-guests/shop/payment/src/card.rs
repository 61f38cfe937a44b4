//! A card's number: 13 to 19 digits whose check digit is right.

#[derive(Debug, PartialEq)]
pub struct Card(String);

impl Card {
    /// Spaces and hyphens between the digits are fine. An error says what is wrong, and nothing of the number.
    pub fn parse(text: &str) -> Result<Self, String> {
        let digits: String = text.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
        let good = (13..=19).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && checksum(&digits).is_multiple_of(10);
        if good {
            Ok(Card(digits))
        } else {
            Err("that is no card number: it has 13 to 19 digits, the last of which checks the others".to_owned())
        }
    }

    /// All that may be kept of it.
    pub fn shown(&self) -> String {
        format!("•••• {}", &self.0[self.0.len() - 4..])
    }
}

/// ISO/IEC 7812-1, annex B (Luhn): every second digit from the right counts twice, 10 and more as the sum of their digits.
fn checksum(digits: &str) -> u32 {
    let value = |(index, byte): (usize, u8)| {
        let digit = u32::from(byte - b'0');
        match index % 2 {
            0 => digit,
            _ if digit > 4 => digit * 2 - 9,
            _ => digit * 2,
        }
    };
    digits.bytes().rev().enumerate().map(value).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_numbers_from_mistakes() {
        for good in [
            "4242 4242 4242 4242",
            "5555-5555-5555-4444",
            "4222222222222",
        ] {
            assert!(Card::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "4242 4242 4242 4241",
            "424242424242",
            "4242x4242y4242z4242",
        ] {
            assert!(Card::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn shows_the_last_digits() {
        assert_eq!(
            Card::parse("4242 4242 4242 4242").unwrap().shown(),
            "•••• 4242"
        );
    }
}
