//! Periods that are regular points of the clock and the calendar: those that every format can say.

use crate::error::{Error, Kind, Result};
use crate::rules::Period;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const WEEK: u64 = 7 * DAY;

/// All that a crontab can say of periods, the shortest first.
const REGULAR: [&str; 20] = [
    "1m", "2m", "3m", "4m", "5m", "6m", "10m", "12m", "15m", "20m", "30m", "1h", "2h", "3h", "4h", "6h", "8h", "12h",
    "1d", "7d",
];

/// A regular period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Regular {
    /// So many minutes, a divisor of 60.
    Minutes(u64),
    /// So many hours, a divisor of 24.
    Hours(u64),
    Daily,
    Weekly,
}

impl Regular {
    /// What a period is, if it is regular.
    pub(super) fn of(every: Period) -> Option<Self> {
        let seconds = every.seconds();
        let parts = |unit: u64, whole: u64| {
            let count = seconds / unit;
            (count > 0 && seconds.is_multiple_of(unit) && seconds < whole && whole.is_multiple_of(seconds))
                .then_some(count)
        };
        match seconds {
            DAY => Some(Self::Daily),
            WEEK => Some(Self::Weekly),
            _ => parts(MINUTE, HOUR).map(Self::Minutes).or_else(|| parts(HOUR, DAY).map(Self::Hours)),
        }
    }

    /// The same, where nothing else can be said: `cant` begins the sentence that says so.
    pub(super) fn required(every: Period, cant: &str) -> Result<Self> {
        Self::of(every).ok_or_else(|| {
            Error::new(Kind::Usage, format!("{cant} every {every}")).hint(format!(
                "`--every {}` is the nearest that it can; systemd and launchd can do any.",
                Self::nearest(every)
            ))
        })
    }

    /// The regular period that is nearest; of two the shorter.
    fn nearest(every: Period) -> Period {
        let known = REGULAR.iter().filter_map(|text| text.parse::<Period>().ok());
        known.min_by_key(|period| period.seconds().abs_diff(every.seconds())).unwrap_or(every)
    }

    /// The five fields of crontab(5), not at the full hour, when everybody comes: at the minute that `words` lead to.
    pub(super) fn cron(self, words: &[String]) -> String {
        let minute = minute_of(words);
        match self {
            Self::Minutes(1) => "* * * * *".to_owned(),
            Self::Minutes(count) => format!("{}-59/{count} * * * *", minute % count),
            Self::Hours(1) => format!("{minute} * * * *"),
            Self::Hours(count) => format!("{minute} */{count} * * *"),
            Self::Daily => format!("{minute} 0 * * *"),
            Self::Weekly => format!("{minute} 0 * * 1"),
        }
    }
}

/// Refuses what is shorter than a minute, which nobody wants of a registry.
pub(super) fn at_least_a_minute(every: Period) -> Result<()> {
    if every.seconds() >= MINUTE {
        return Ok(());
    }
    Err(Error::new(Kind::Usage, format!("`--every {every}` is shorter than a minute"))
        .hint("`--every 1m` is the shortest period; most registries are fine with `6h`."))
}

/// A minute that is the same for the same command.
fn minute_of(words: &[String]) -> u64 {
    let bytes = words.iter().flat_map(|word| word.bytes().chain([0]));
    bytes.fold(0, |sum, byte| (sum * 31 + u64::from(byte)) % MINUTE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn period(text: &str) -> Period {
        text.parse().unwrap()
    }

    #[test]
    fn regular_periods_are_known() {
        for (text, regular) in [
            ("1m", Some(Regular::Minutes(1))),
            ("15m", Some(Regular::Minutes(15))),
            ("60m", Some(Regular::Hours(1))),
            ("6h", Some(Regular::Hours(6))),
            ("24h", Some(Regular::Daily)),
            ("1w", Some(Regular::Weekly)),
            ("0s", None),
            ("30s", None),
            ("90s", None),
            ("7m", None),
            ("45m", None),
            ("90m", None),
            ("7h", None),
            ("2d", None),
            ("2w", None),
        ] {
            assert_eq!(Regular::of(period(text)), regular, "{text}");
        }
        let minutes = (0..=8 * 24 * 60).filter(|minute| Regular::of(period(&format!("{minute}m"))).is_some()).count();
        assert_eq!(minutes, REGULAR.len());
        assert!(REGULAR.iter().all(|text| Regular::of(period(text)).is_some()));
    }

    #[test]
    fn the_nearest_is_offered() {
        for (text, nearest) in [
            ("7h", "6h"),
            ("90m", "1h"),
            ("7m", "6m"),
            ("17h", "12h"),
            ("19h", "1d"),
            ("2d", "1d"),
            ("30d", "7d"),
            ("0s", "1m"),
        ] {
            assert_eq!(Regular::nearest(period(text)), period(nearest), "{text}");
        }
    }

    #[test]
    fn the_minute_is_one_of_the_hour_and_differs() {
        let minutes: std::collections::BTreeSet<u64> =
            (0..100).map(|user| minute_of(&["roadstead".to_owned(), format!("/home/{user}")])).collect();
        assert!(minutes.len() > 20 && minutes.iter().all(|minute| *minute < 60), "{minutes:?}");
    }
}
