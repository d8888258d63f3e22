//! When something runs: the five fields of crontab(5), by the rules of the cron that reads them.
//!
//! What other programs add (`L`, `#`, `?`, seconds) is refused, for `crontab` would refuse it.

use std::fmt;

use jiff::Zoned;
use jiff::civil::{Date, Time, date, time};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Points in time that come again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    text: String,
    /// One bit each, by number.
    pub(super) minutes: u64,
    pub(super) hours: u64,
    pub(super) days: u64,
    pub(super) months: u64,
    /// 0 is Sunday.
    pub(super) weekdays: u64,
    /// Both must fit where one begins with `*`; else either will do. So crontab(5) has it.
    pub(super) both_days: bool,
}

/// Why a text is no schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// There are too few or too many fields.
    #[error("`{text}` has {count} fields, and cron wants five")]
    Count {
        /// All of it.
        text: String,
        /// How many there are.
        count: usize,
    },
    /// One field cannot be read.
    #[error("`{part}` is no {field}: {low} to {high}, `*`, a list, a range or a step are")]
    Field {
        /// What stands there.
        part: String,
        /// `minute`, `hour` ….
        field: &'static str,
        /// The least.
        low: u32,
        /// The most.
        high: u32,
    },
    /// Nobody knows that name.
    #[error("`{0}` is no time that cron knows")]
    Name(String),
    /// It is no time, but an event.
    #[error("`@reboot` is no time of the app: it would run before the app does")]
    Reboot,
    /// No day is like that.
    #[error("`{0}` never comes")]
    Never(String),
}

impl ScheduleError {
    /// What to write instead.
    pub fn help(&self) -> &'static str {
        match self {
            ScheduleError::Reboot => {
                "let a service do it (`handover: replace` runs once); `release generate cron` starts the app at boot"
            }
            ScheduleError::Field { .. } => {
                "lists are `1,15`, ranges `1-5`, steps `*/10` or `8-18/2`; Sunday is 0, or write `mon-fri`"
            }
            _ => {
                "write minute, hour, day of month, month, day of week: `0 5 * * 0`; or @hourly, @daily, @weekly, @monthly, @yearly"
            }
        }
    }
}

const NAMES: [(&str, &str); 7] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// One of the five fields.
struct Field {
    name: &'static str,
    low: u32,
    high: u32,
    /// Words for numbers, from `low` on.
    words: &'static [&'static str],
}

const FIELDS: [Field; 5] = [
    Field { name: "minute", low: 0, high: 59, words: &[] },
    Field { name: "hour", low: 0, high: 23, words: &[] },
    Field { name: "day of the month", low: 1, high: 31, words: &[] },
    Field { name: "month", low: 1, high: 12, words: &MONTHS },
    Field { name: "day of the week", low: 0, high: 7, words: &WEEKDAYS },
];

/// After so many days every combination of day, month and weekday has come: the Gregorian calendar
/// repeats its leap days on each weekday within 40 years.
const CYCLE: usize = 366 * 41;

impl Schedule {
    /// Reads `0 5 * * 0`, or a name such as `@daily`.
    pub fn parse(text: &str) -> Result<Self, ScheduleError> {
        let words: Vec<&str> = text.split_ascii_whitespace().collect();
        let text = words.join(" ");
        if let [name] = words.as_slice()
            && name.starts_with('@')
        {
            let known = NAMES.iter().find(|(known, _)| known == name).map(|(_, fields)| fields);
            return match known {
                Some(fields) => Ok(Self { text, ..Self::parse(fields)? }),
                None if *name == "@reboot" => Err(ScheduleError::Reboot),
                None => Err(ScheduleError::Name(text)),
            };
        }
        let [minutes, hours, days, months, weekdays] = words.as_slice() else {
            return Err(ScheduleError::Count { text, count: words.len() });
        };
        let weekday_bits = FIELDS[4].bits(weekdays)?;
        let schedule = Self {
            minutes: FIELDS[0].bits(minutes)?,
            hours: FIELDS[1].bits(hours)?,
            days: FIELDS[2].bits(days)?,
            months: FIELDS[3].bits(months)?,
            // 7 is Sunday, too.
            weekdays: weekday_bits | weekday_bits >> 7 & 1,
            both_days: days.starts_with('*') || weekdays.starts_with('*'),
            text,
        };
        let comes = schedule.days_from(date(2000, 1, 1)).next().is_some();
        if comes { Ok(schedule) } else { Err(ScheduleError::Never(schedule.text)) }
    }

    /// As it was written, one space between the fields.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The first such moment after `now`, in its time zone.
    pub fn next(&self, now: &Zoned) -> Option<Zoned> {
        let zone = now.time_zone();
        let moments = |day: Date| {
            self.times().filter_map(move |time| day.to_datetime(time).to_zoned(zone.clone()).ok())
        };
        self.days_from(now.date()).find_map(|day| moments(day).find(|moment| moment > now))
    }

    /// The times of one day.
    fn times(&self) -> impl Iterator<Item = Time> {
        let hours = (0..24).filter(|hour| has(self.hours, *hour));
        hours.flat_map(|hour: i8| {
            let minutes = (0..60).filter(|minute| has(self.minutes, *minute));
            minutes.map(move |minute: i8| time(hour, minute, 0, 0))
        })
    }

    /// The days from `first` on that it has, within a cycle.
    fn days_from(&self, first: Date) -> impl Iterator<Item = Date> {
        let days = first.series(jiff::Span::new().days(1)).take(CYCLE);
        days.filter(|day| self.has_day(*day))
    }

    fn has_day(&self, day: Date) -> bool {
        let by_month = has(self.days, day.day());
        let by_week = has(self.weekdays, day.weekday().to_sunday_zero_offset());
        has(self.months, day.month())
            && if self.both_days { by_month && by_week } else { by_month || by_week }
    }
}

pub(super) fn has(bits: u64, number: i8) -> bool {
    bits >> number & 1 == 1
}

impl Field {
    /// The numbers of a list such as `1-5,8-18/2`.
    fn bits(&self, text: &str) -> Result<u64, ScheduleError> {
        let wrong = |part: &str| ScheduleError::Field {
            part: part.to_owned(),
            field: self.name,
            low: self.low,
            high: self.high,
        };
        text.split(',').try_fold(0, |bits, part| Ok(bits | self.part(part).ok_or_else(|| wrong(part))?))
    }

    fn part(&self, part: &str) -> Option<u64> {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(number(step).filter(|step| *step > 0)?)),
            None => (part, None),
        };
        let (low, high) = match range.split_once('-') {
            None if range == "*" => (self.low, self.high),
            Some((low, high)) => (self.number(low)?, self.number(high)?),
            // cron takes no notice of a step after a single number.
            None if step.is_some() => return None,
            None => (self.number(range)?, self.number(range)?),
        };
        let numbers = (low..=high).step_by(step.unwrap_or(1) as usize);
        (low <= high).then(|| numbers.fold(0, |bits, number| bits | 1 << number))
    }

    fn number(&self, text: &str) -> Option<u32> {
        let is_word = |word: &&str| word.eq_ignore_ascii_case(text);
        let by_word = (self.low..).zip(self.words).find(|(_, word)| is_word(word)).map(|(number, _)| number);
        by_word.or_else(|| number(text)).filter(|number| (self.low..=self.high).contains(number))
    }
}

/// `parse` alone would take `+5`.
fn number(text: &str) -> Option<u32> {
    text.bytes().all(|c| c.is_ascii_digit()).then(|| text.parse().ok())?
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Schedule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Schedule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}
