//! The same times as systemd.time(7) writes them, for `OnCalendar=`.
//!
//! Every schedule has such a text: days that either field may give are two lines, and a timer fires
//! once where both come to the same moment.

use super::schedule::{Schedule, has};

/// As systemd counts them, and by their bit.
const WEEKDAYS: [(i8, &str); 7] =
    [(1, "Mon"), (2, "Tue"), (3, "Wed"), (4, "Thu"), (5, "Fri"), (6, "Sat"), (0, "Sun")];

/// Every offset of a time zone is a multiple of this.
const QUARTER: i8 = 15;

impl Schedule {
    /// The values of the `OnCalendar=` lines of a timer that fires when this comes.
    pub fn calendar(&self) -> Vec<String> {
        let months = numbers(self.months, 1, 12);
        let days = numbers(self.days, 1, 31);
        let time = format!("{}:{}:00", numbers(self.hours, 0, 23), numbers(self.minutes, 0, 59));
        let weekdays = self.weekday_names();
        if self.is_the_same_everywhere() {
            return vec![format!("*-*-* {time} UTC")];
        }
        if self.both_days {
            return vec![format!("{weekdays}*-{months}-{days} {time}")];
        }
        vec![format!("*-{months}-{days} {time}"), format!("{weekdays}*-{months}-* {time}")]
    }

    /// Whether a clock in another time zone gives the same moments. By the clock of the place systemd
    /// would miss an hour when the clock is put back.
    fn is_the_same_everywhere(&self) -> bool {
        let later = |minute: i8| (minute + QUARTER) % 60;
        let is_even = (0..60).all(|minute| has(self.minutes, minute) == has(self.minutes, later(minute)));
        let every_day = (1..32).all(|day| has(self.days, day)) && (0..7).all(|day| has(self.weekdays, day));
        let always = every_day
            && (1..13).all(|month| has(self.months, month))
            && (0..24).all(|hour| has(self.hours, hour));
        always && is_even
    }

    /// `Mon,Wed `; nothing for all of them.
    fn weekday_names(&self) -> String {
        let names: Vec<&str> =
            WEEKDAYS.iter().filter(|(bit, _)| has(self.weekdays, *bit)).map(|(_, name)| *name).collect();
        if names.len() == WEEKDAYS.len() { String::new() } else { format!("{} ", names.join(",")) }
    }
}

/// `*`, or `01..05,09`.
fn numbers(bits: u64, low: i8, high: i8) -> String {
    if (low..=high).all(|number| has(bits, number)) {
        return "*".to_owned();
    }
    let mut parts = Vec::new();
    let mut rest = (low..=high).filter(|number| has(bits, *number)).peekable();
    while let Some(first) = rest.next() {
        let mut last = first;
        while rest.next_if_eq(&(last + 1)).is_some() {
            last += 1;
        }
        parts.push(match last - first {
            0 => format!("{first:02}"),
            1 => format!("{first:02},{last:02}"),
            _ => format!("{first:02}..{last:02}"),
        });
    }
    parts.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a cron knows, and what systemd is told.
    const TABLE: [(&str, &[&str]); 17] = [
        ("0 5 * * 0", &["Sun *-*-* 05:00:00"]),
        ("0 5 * * 7", &["Sun *-*-* 05:00:00"]),
        ("@hourly", &["*-*-* *:00:00"]),
        ("@daily", &["*-*-* 00:00:00"]),
        ("@weekly", &["Sun *-*-* 00:00:00"]),
        ("@monthly", &["*-*-01 00:00:00"]),
        ("@yearly", &["*-01-01 00:00:00"]),
        ("* * * * *", &["*-*-* *:*:00 UTC"]),
        ("*/5 * * * *", &["*-*-* *:00,05,10,15,20,25,30,35,40,45,50,55:00 UTC"]),
        ("*/20 * * * *", &["*-*-* *:00,20,40:00"]),
        ("*/15 8-18 * * mon-fri", &["Mon,Tue,Wed,Thu,Fri *-*-* 08..18:00,15,30,45:00"]),
        ("30 6,18,19 1-7,9 jan-mar,dec *", &["*-01..03,12-01..07,09 06,18,19:30:00"]),
        ("0 0 29 2 *", &["*-02-29 00:00:00"]),
        ("0 0 13 * fri", &["*-*-13 00:00:00", "Fri *-*-* 00:00:00"]),
        ("0 0 */2 * mon", &["Mon *-*-01,03,05,07,09,11,13,15,17,19,21,23,25,27,29,31 00:00:00"]),
        ("59 23 31 12 7", &["*-12-31 23:59:00", "Sun *-12-* 23:59:00"]),
        ("1-5/2,7 * * * sun-tue", &["Mon,Tue,Sun *-*-* *:01,03,05,07:00"]),
    ];

    #[test]
    fn every_schedule_has_a_calendar_of_systemd() {
        for (at, calendar) in TABLE {
            assert_eq!(Schedule::parse(at).unwrap().calendar(), calendar, "{at}");
        }
    }
}
