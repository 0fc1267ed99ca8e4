//! Cron lines: read once, asked for the next time that they name.
//!
//! `croner` reads the lines and knows the calendar; [`Wall`] tells it about our clock type, with
//! the days on which the clock on the wall goes back or forward.

use std::cmp::Ordering;
use std::fmt;

use croner::Cron;
use croner::errors::CronError;
use croner::parser::{CronParser, Seconds, Year};
use croner::time::{CivilDate, CivilDateTime, CivilTime, CronDateTime, Resolution, Weekday};
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp, ZonedDateTime};

/// The longest cron line, in bytes.
const BYTES_MAX: usize = 128;

/// When something runs by the clock.
#[derive(Clone)]
pub struct CronLine {
    text: String,
    cron: Cron,
}

impl CronLine {
    /// Reads five fields (minute, hour, day, month, weekday), or six with seconds first.
    ///
    /// # Errors
    /// What is wrong, also when no date ever matches.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > BYTES_MAX {
            return Err(format!("the cron line is longer than {BYTES_MAX} bytes"));
        }
        let parser = CronParser::builder()
            .seconds(Seconds::Optional)
            .year(Year::Disallowed)
            .build();
        let cron = parser.parse(text).map_err(|error| {
            let error = error.to_string();
            format!(
                "the cron line {text:?} cannot be read: {}; five fields are minute, hour, day, \
                 month and weekday, such as \"0 18 * * FRI\"",
                error.trim_end_matches('.')
            )
        })?;
        let line = Self {
            text: text.to_owned(),
            cron,
        };
        // A leap day comes within eight years of any date.
        if line.after(Timestamp::UNIX_EPOCH, &TimeZone::UTC).is_none() {
            return Err(format!("no date ever matches the cron line {text:?}"));
        }
        Ok(line)
    }

    /// Returns the line as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the first time after `now` that the line names, on the clock of `zone`.
    #[must_use]
    pub fn after(&self, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let wall = Wall(now.to_zoned_datetime(zone.clone()));
        let next = self.cron.find_next_occurrence(&wall, false).ok()?;
        Some(next.0.timestamp())
    }
}

impl fmt::Debug for CronLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CronLine").field(&self.text).finish()
    }
}

impl PartialEq for CronLine {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for CronLine {}

/// The clock on a wall somewhere.
#[derive(Clone)]
struct Wall(ZonedDateTime);

impl CronDateTime for Wall {
    fn to_civil(&self) -> CivilDateTime {
        let at = self.0.datetime();
        // The parts come from a date and a time that exist.
        CivilDateTime::new(
            CivilDate::from_parts_unchecked(
                i32::from(at.year()),
                u32::from(at.month().unsigned_abs()),
                u32::from(at.day().unsigned_abs()),
            ),
            CivilTime::from_parts_unchecked(
                u32::from(at.hour().unsigned_abs()),
                u32::from(at.minute().unsigned_abs()),
                u32::from(at.second().unsigned_abs()),
            ),
        )
    }

    fn civil_weekday(&self) -> Weekday {
        let days = self.0.weekday().to_sunday_zero_offset();
        Weekday::from_days_from_sunday(u32::from(days.unsigned_abs()))
    }

    fn resolve_civil(&self, civil: CivilDateTime) -> Result<Resolution<Self>, CronError> {
        let at = to_jiff(civil).ok_or(CronError::InvalidDate)?;
        let ambiguous = self.0.time_zone().to_ambiguous_zoned_datetime(at);
        let wall = |zoned: Result<ZonedDateTime, jiff::Error>| {
            zoned.map(Self).map_err(|_| CronError::InvalidTime)
        };
        Ok(match ambiguous.offset() {
            AmbiguousOffset::Unambiguous { .. } => {
                Resolution::Single(wall(ambiguous.unambiguous())?)
            }
            AmbiguousOffset::Fold { .. } => {
                let earlier = wall(ambiguous.clone().earlier())?;
                Resolution::Ambiguous(earlier, wall(ambiguous.later())?)
            }
            AmbiguousOffset::Gap { .. } => Resolution::Gap,
        })
    }

    fn checked_add_seconds(&self, seconds: i64) -> Option<Self> {
        self.0
            .checked_add(SignedDuration::from_secs(seconds))
            .ok()
            .map(Self)
    }

    fn cmp_instant(&self, other: &Self) -> Ordering {
        self.0.timestamp().cmp(&other.0.timestamp())
    }
}

fn to_jiff(civil: CivilDateTime) -> Option<DateTime> {
    let part = |number: u32| i8::try_from(number).ok();
    DateTime::new(
        i16::try_from(civil.year()).ok()?,
        part(civil.month())?,
        part(civil.day())?,
        part(civil.hour())?,
        part(civil.minute())?,
        part(civil.second())?,
        0,
    )
    .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, now: &str, zone: &TimeZone, expected: &str) {
        let now: Timestamp = now.parse().unwrap();
        let next = CronLine::parse(line).unwrap().after(now, zone).unwrap();
        assert_eq!(next, expected.parse().unwrap(), "{line}");
    }

    #[test]
    fn the_next_time_is_after_now_never_now() {
        let utc = TimeZone::UTC;
        check(
            "0 18 * * FRI",
            "2026-11-20T18:00:00Z",
            &utc,
            "2026-11-27T18:00:00Z",
        );
        check(
            "*/15 * * * *",
            "2026-11-20T18:00:01Z",
            &utc,
            "2026-11-20T18:15:00Z",
        );
        check(
            "30 0 18 * * *",
            "2026-11-20T18:00:29.5Z",
            &utc,
            "2026-11-20T18:00:30Z",
        );
        check(
            "0 0 29 2 *",
            "2025-01-01T00:00:00Z",
            &utc,
            "2028-02-29T00:00:00Z",
        );
    }

    #[test]
    fn the_clock_on_the_wall_goes_back_and_forward() {
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        // In March 02:30 does not exist; in October it comes twice and runs once.
        check(
            "30 2 * * *",
            "2026-10-24T12:00:00Z",
            &zone,
            "2026-10-25T00:30:00Z",
        );
        check(
            "30 2 * * *",
            "2026-10-25T00:30:00Z",
            &zone,
            "2026-10-26T01:30:00Z",
        );
        check(
            "0 9 * * *",
            "2026-03-28T12:00:00Z",
            &zone,
            "2026-03-29T07:00:00Z",
        );
    }

    #[test]
    fn lines_that_cannot_be_meant_are_refused() {
        for line in [
            "",
            "x",
            "* * * *",
            "61 * * * *",
            "0 0 31 2 *",
            "* * * * * * *",
            &"*".repeat(200),
        ] {
            assert!(CronLine::parse(line).is_err(), "{line}");
        }
    }
}
