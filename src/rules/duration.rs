//! Spans of time as rules have them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Seconds of each unit, the largest first.
const UNITS: [(char, u64); 5] = [('w', 7 * 86_400), ('d', 86_400), ('h', 3600), ('m', 60), ('s', 1)];
/// The longest period, in seconds: a hundred years.
const MAX_SECONDS: u64 = 100 * 365 * 86_400;

/// A span of time: `3d`, `6h`, `1h30m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period(u64);

impl Period {
    /// So many days.
    pub const fn days(days: u32) -> Self {
        Self(days as u64 * 86_400)
    }

    /// Seconds.
    pub fn seconds(self) -> u64 {
        self.0
    }
}

impl From<Period> for Duration {
    fn from(period: Period) -> Self {
        Self::from_secs(period.0)
    }
}

impl FromStr for Period {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const SHAPE: &str = "write a number and a unit: `3d`, `6h`, `1h30m` (w, d, h, m, s)";
        let mut seconds: u64 = 0;
        let mut rest = text;
        let mut below = u64::MAX;
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let number: u64 = rest[..digits].parse().map_err(|_| SHAPE)?;
            let mut after = rest[digits..].chars();
            let unit = after.next().and_then(|unit| UNITS.iter().find(|(known, _)| *known == unit)).ok_or(SHAPE)?.1;
            if unit >= below {
                return Err("units go from the largest to the smallest, each once: `1d12h`");
            }
            below = unit;
            seconds = number.checked_mul(unit).and_then(|more| seconds.checked_add(more)).ok_or("it is too long")?;
            rest = after.as_str();
        }
        match seconds {
            _ if text.is_empty() => Err(SHAPE),
            seconds if seconds > MAX_SECONDS => Err("it is longer than a hundred years"),
            seconds => Ok(Self(seconds)),
        }
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let mut rest = self.0;
        for (unit, seconds) in UNITS {
            // Weeks are read, and written as days.
            if unit != 'w' && rest >= seconds {
                write!(f, "{}{unit}", rest / seconds)?;
                rest %= seconds;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn periods_are_read_and_written() {
        for (text, seconds, written) in [
            ("14d", 1_209_600, "14d"),
            ("2w", 1_209_600, "14d"),
            ("1h30m", 5400, "1h30m"),
            ("90m", 5400, "1h30m"),
            ("0s", 0, "0s"),
        ] {
            let period: Period = text.parse().unwrap();
            assert_eq!(period.seconds(), seconds);
            assert_eq!(period.to_string(), written);
        }
        for text in ["", "3", "d", "3x", "-3d", "3d3d", "3h1d", "3 d", "99999999999999999999d", "9999999w", "é"] {
            assert!(text.parse::<Period>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(seconds in 0..MAX_SECONDS) {
            prop_assert_eq!(Period(seconds).to_string().parse(), Ok(Period(seconds)));
        }
    }
}
