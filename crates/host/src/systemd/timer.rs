//! The two units of an entry of cron: a timer, and what it starts.
//!
//! Their name ends in digits of their text, as that of a service's template: an entry with another time
//! is another timer, so those of two releases may stand there while one takes over from the other.

use std::path::Path;

use release_core::config::Scope;
use release_core::cron::{Schedule, Timer};

use super::unit::{Unwritable, path, quoted, value};
use crate::label;

/// The units of a timer, by their texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TimerUnits {
    /// `shop-cron-clearsessions-1a2b3c`.
    pub(super) name: String,
    pub(super) timer: String,
    pub(super) service: String,
}

/// The first line of both: what does not begin so is none of ours.
pub(super) fn first_line(root: &Path) -> String {
    format!("# {}: an entry of cron, by `release`, which writes it anew.\n", root.display())
}

/// What the names of all timers of a root begin with.
pub(super) fn prefix(root: &Path) -> String {
    format!("{}-cron-", label::of_root(root))
}

impl TimerUnits {
    /// Those of `timer`; the machine's systemd runs it as `user`.
    pub(super) fn of(timer: &Timer, root: &Path, user: &str) -> Result<Self, Unwritable> {
        let service = service(timer, root, user)?;
        let timer_text = text(timer, root)?;
        let mark = label::mark(&format!("{timer_text}{service}"));
        Ok(Self { name: format!("{}{}-{mark}", prefix(root), timer.entry), timer: timer_text, service })
    }

    /// The unit that is enabled.
    pub(super) fn timer_name(&self) -> String {
        format!("{}.timer", self.name)
    }

    /// The unit that it starts.
    pub(super) fn service_name(&self) -> String {
        format!("{}.service", self.name)
    }
}

/// systemd passes over sections that begin with `X-`.
const OWN_SECTION: &str = "[X-Release]";

fn text(timer: &Timer, root: &Path) -> Result<String, Unwritable> {
    let mut text = first_line(root);
    let mut line = |line: String| text.push_str(&format!("{line}\n"));
    line(format!("[Unit]\nDescription={} of {}, {}\n", timer.entry, value(root)?, timer.at));
    line("[Timer]".to_owned());
    timer.at.calendar().into_iter().for_each(|at| line(format!("OnCalendar={at}")));
    // systemd may be a minute late otherwise. What was due while the machine was off is not made up for:
    // cron does not do that either.
    line("AccuracySec=1s\nPersistent=false\n".to_owned());
    line(format!("[Install]\nWantedBy={TARGET}\n"));
    line(format!("{OWN_SECTION}\nEntry={}\nAt={}", timer.entry, timer.at));
    line(format!("Program={}", value(Path::new(&timer.program))?));
    Ok(text)
}

/// What brings timers up, the machine's and a user's.
pub(super) const TARGET: &str = "timers.target";

fn service(timer: &Timer, root: &Path, user: &str) -> Result<String, Unwritable> {
    let mut text = first_line(root);
    let mut line = |line: String| text.push_str(&format!("{line}\n"));
    line(format!(
        "# Own settings go into {}{}-.service.d/*.conf beside it; they stay.",
        prefix(root),
        timer.entry
    ));
    line(format!("[Unit]\nDescription={} of {}", timer.entry, value(root)?));
    line(format!("RequiresMountsFor={}", quoted(&path(root)?)?));
    line("\n[Service]\nType=oneshot".to_owned());
    if timer.scope == Scope::System {
        line(format!("User={user}"));
    }
    let at = timer.at.to_string();
    let root = path(root)?;
    let words = [&timer.program, "cron", "run", &timer.entry, "--at", &at, "--root", &root];
    let words: Result<Vec<String>, Unwritable> = words.into_iter().map(quoted).collect();
    line(format!("ExecStart={}", words?.join(" ")));
    // What a command leaves running goes on, and holds the entry's lock, as with cron.
    line("KillMode=process\nTimeoutStartSec=infinity\nUMask=0022".to_owned());
    Ok(text)
}

/// The timer that a file of ours, with this text, is of.
pub(super) fn read(text: &str, scope: Scope) -> Option<Timer> {
    let (_, own) = text.split_once(OWN_SECTION)?;
    let field = |name: &str| own.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    Some(Timer {
        scope,
        entry: field("Entry")?.to_owned(),
        at: Schedule::parse(field("At")?).ok()?,
        program: field("Program")?.replace("%%", "%"),
    })
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use jiff::civil::DateTime;
    use jiff::tz::TimeZone;
    use release_core::cron::Entry;

    use super::*;

    fn timer(at: &str, scope: Scope) -> Timer {
        let at = Schedule::parse(at).unwrap();
        let entry = Entry {
            name: "clear".to_owned(),
            at,
            run: "true".to_owned(),
            env: Default::default(),
            user: None,
        };
        Timer::of(&entry, scope, "/usr/local/bin/release")
    }

    #[test]
    fn the_units_name_no_release() {
        let units =
            TimerUnits::of(&timer("0 5 13 * fri", Scope::System), Path::new("/srv/my 50% shop"), "root");
        let units = units.unwrap();
        assert!(units.name.starts_with("my_50__shop-cron-clear-"), "{}", units.name);
        assert_eq!(
            units.timer,
            "\
# /srv/my 50% shop: an entry of cron, by `release`, which writes it anew.
[Unit]
Description=clear of /srv/my 50%% shop, 0 5 13 * fri

[Timer]
OnCalendar=*-*-13 05:00:00
OnCalendar=Fri *-*-* 05:00:00
AccuracySec=1s
Persistent=false

[Install]
WantedBy=timers.target

[X-Release]
Entry=clear
At=0 5 13 * fri
Program=/usr/local/bin/release
"
        );
        assert_eq!(
            units.service,
            "\
# /srv/my 50% shop: an entry of cron, by `release`, which writes it anew.
# Own settings go into my_50__shop-cron-clear-.service.d/*.conf beside it; they stay.
[Unit]
Description=clear of /srv/my 50%% shop
RequiresMountsFor=\"/srv/my 50%% shop\"

[Service]
Type=oneshot
User=root
ExecStart=/usr/local/bin/release cron run clear --at \"0 5 13 * fri\" --root \"/srv/my 50%% shop\"
KillMode=process
TimeoutStartSec=infinity
UMask=0022
"
        );
    }

    #[test]
    fn a_timer_is_read_as_it_was_written_and_another_time_is_another_timer() {
        let root = Path::new("/srv/shop");
        let units = |timer: &Timer| TimerUnits::of(timer, root, "shop").unwrap();
        let (daily, weekly) = (timer("@daily", Scope::User), timer("@weekly", Scope::User));
        let odd = Timer { program: "/opt/50% off/release".to_owned(), ..daily.clone() };
        for timer in [&daily, &weekly, &odd] {
            assert_eq!(read(&units(timer).timer, Scope::User).as_ref(), Some(timer));
        }
        assert_ne!(units(&daily).name, units(&weekly).name);
        assert_ne!(units(&daily).name, units(&odd).name);
        assert!(!units(&daily).service.contains("User="));
        assert_eq!(read("[Timer]\nOnCalendar=daily\n", Scope::User), None);
    }

    /// The next five moments, by systemd itself, in seconds since 1970; `None` where it is not installed.
    fn by_systemd(calendar: &[String], base: &str) -> Option<Vec<i64>> {
        let mut moments = Vec::new();
        for line in calendar {
            let base = format!("--base-time={base}");
            let mut command = Command::new("systemd-analyze");
            command.args(["calendar", "--iterations=5", &base, line]).env("TZ", "UTC").env("LC_ALL", "C");
            let output = command.output().ok()?;
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
            moments.extend(said.lines().filter_map(moment));
        }
        moments.sort_unstable();
        moments.dedup();
        moments.truncate(5);
        Some(moments)
    }

    /// The moment in `Next elapse: Sun 2026-11-22 05:00:00 UTC`.
    fn moment(line: &str) -> Option<i64> {
        let (name, told) = line.trim().split_once(": ")?;
        let told =
            told.strip_suffix(" UTC").filter(|_| name.starts_with("Next") || name.starts_with("Iter"))?;
        let (_, told) = told.split_once(' ')?;
        let moment: DateTime = told.replace(' ', "T").parse().unwrap();
        Some(moment.to_zoned(TimeZone::UTC).unwrap().timestamp().as_second())
    }

    #[test]
    fn systemd_reads_a_calendar_as_cron_reads_the_five_fields() {
        let base = "2026-11-21 08:59:30";
        for at in [
            "0 5 * * 0",
            "@hourly",
            "@daily",
            "@weekly",
            "@monthly",
            "@yearly",
            "* * * * *",
            "*/5 * * * *",
            "*/20 * * * *",
            "*/15 8-18 * * mon-fri",
            "30 6,18,19 1-7,9 jan-mar,dec *",
            "0 0 29 2 *",
            "0 0 13 * fri",
            "0 0 */2 * mon",
            "59 23 31 12 7",
            "1-5/2,7 * * * sun-tue",
        ] {
            let schedule = Schedule::parse(at).unwrap();
            let Some(told) = by_systemd(&schedule.calendar(), base) else { return };
            let start: DateTime = base.replace(' ', "T").parse().unwrap();
            let next = |now: &jiff::Zoned| schedule.next(now);
            let ours: Vec<i64> =
                std::iter::successors(next(&start.to_zoned(TimeZone::UTC).unwrap()), |now| next(now))
                    .take(5)
                    .map(|moment| moment.timestamp().as_second())
                    .collect();
            assert_eq!(told, ours, "{at}");
        }
    }
}
