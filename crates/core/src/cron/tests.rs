use std::path::Path;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::{Block, Ended, Entry, LastRun, Schedule, ScheduleError, name_of};

fn schedule(text: &str) -> Schedule {
    Schedule::parse(text).unwrap()
}

/// The next three times after `now`, in Berlin.
fn after(now: &str, at: &str) -> Vec<String> {
    let berlin = TimeZone::get("Europe/Berlin").unwrap();
    let mut now = now.parse::<DateTime>().unwrap().to_zoned(berlin).unwrap();
    let mut found = Vec::new();
    while found.len() < 3 {
        now = schedule(at).next(&now).unwrap();
        found.push(now.strftime("%a %Y-%m-%d %H:%M").to_string());
    }
    found
}

#[test]
fn the_next_time_is_that_of_the_five_fields() {
    let now = "2026-11-21T08:59:30";
    for (at, times) in [
        ("* * * * *", ["Sat 2026-11-21 09:00", "Sat 2026-11-21 09:01", "Sat 2026-11-21 09:02"]),
        ("59 8 * * *", ["Sun 2026-11-22 08:59", "Mon 2026-11-23 08:59", "Tue 2026-11-24 08:59"]),
        ("0 5 * * 0", ["Sun 2026-11-22 05:00", "Sun 2026-11-29 05:00", "Sun 2026-12-06 05:00"]),
        ("0 5 * * 7", ["Sun 2026-11-22 05:00", "Sun 2026-11-29 05:00", "Sun 2026-12-06 05:00"]),
        ("*/30 8-17/9 * * *", ["Sat 2026-11-21 17:00", "Sat 2026-11-21 17:30", "Sun 2026-11-22 08:00"]),
        ("0 0 1 jan,JUL *", ["Fri 2027-01-01 00:00", "Thu 2027-07-01 00:00", "Sat 2028-01-01 00:00"]),
        ("0 12 * * mon-fri", ["Mon 2026-11-23 12:00", "Tue 2026-11-24 12:00", "Wed 2026-11-25 12:00"]),
        ("0 0 29 2 *", ["Tue 2028-02-29 00:00", "Sun 2032-02-29 00:00", "Fri 2036-02-29 00:00"]),
        ("@weekly", ["Sun 2026-11-22 00:00", "Sun 2026-11-29 00:00", "Sun 2026-12-06 00:00"]),
    ] {
        assert_eq!(after(now, at), times, "{at}");
    }
}

#[test]
fn either_day_will_do_unless_one_of_them_begins_with_a_star() {
    let now = "2026-11-21T08:59:30";
    let either = ["Mon 2026-11-23 00:00", "Mon 2026-11-30 00:00", "Tue 2026-12-01 00:00"];
    assert_eq!(after(now, "0 0 1 * mon"), either);
    let both = ["Mon 2026-11-23 00:00", "Mon 2026-12-07 00:00", "Mon 2026-12-21 00:00"];
    assert_eq!(after(now, "0 0 */2 * mon"), both);
}

#[test]
fn an_hour_that_the_clock_skips_is_told_as_the_one_after() {
    let times = after("2027-03-27T12:00:00", "30 2 * * *");
    assert_eq!(times[0], "Sun 2027-03-28 03:30");
}

#[test]
fn what_cron_would_refuse_or_misread_is_refused_with_a_way_out() {
    for (text, error) in [
        ("", "`` has 0 fields, and cron wants five"),
        ("0 5 * *", "`0 5 * *` has 4 fields, and cron wants five"),
        ("0 0 5 * * 0", "`0 0 5 * * 0` has 6 fields, and cron wants five"),
        ("60 5 * * 0", "`60` is no minute: 0 to 59, `*`, a list, a range or a step are"),
        ("0 5 0 * *", "`0` is no day of the month: 1 to 31, `*`, a list, a range or a step are"),
        ("0 5 L * *", "`L` is no day of the month: 1 to 31, `*`, a list, a range or a step are"),
        ("0 5 * 13 *", "`13` is no month: 1 to 12, `*`, a list, a range or a step are"),
        ("0 5 * * sat-sun", "`sat-sun` is no day of the week: 0 to 7, `*`, a list, a range or a step are"),
        ("5/10 * * * *", "`5/10` is no minute: 0 to 59, `*`, a list, a range or a step are"),
        ("*/0 * * * *", "`*/0` is no minute: 0 to 59, `*`, a list, a range or a step are"),
        ("+5 * * * *", "`+5` is no minute: 0 to 59, `*`, a list, a range or a step are"),
        ("1,,2 * * * *", "`` is no minute: 0 to 59, `*`, a list, a range or a step are"),
        ("0 0 31 2,4 *", "`0 0 31 2,4 *` never comes"),
        ("@dayly", "`@dayly` is no time that cron knows"),
        ("@reboot", "`@reboot` is no time of the app: it would run before the app does"),
    ] {
        let found = Schedule::parse(text).unwrap_err();
        assert_eq!(found.to_string(), error);
        assert!(!found.help().is_empty());
    }
    assert_eq!(Schedule::parse("@reboot").unwrap_err(), ScheduleError::Reboot);
}

#[test]
fn a_schedule_is_stored_as_it_was_written() {
    let at = schedule("  0  5\t* * sun ");
    assert_eq!(serde_json::to_string(&at).unwrap(), "\"0 5 * * sun\"");
    assert_eq!(serde_json::from_str::<Schedule>("\"0 5 * * sun\"").unwrap(), at);
    assert!(serde_json::from_str::<Schedule>("\"0 5 * *\"").is_err());
}

#[test]
fn an_entry_is_called_after_what_it_runs() {
    let name = |command: &str| name_of(&shell_words::split(command).unwrap());
    for (command, expected) in [
        ("python manage.py clear_models --days 3", "clear-models"),
        ("python3.11 web/manage.py Clear", "clear"),
        ("django-admin clearsessions", "clearsessions"),
        ("python -m shop.jobs.nightly", "shop"),
        ("python -u jobs/nightly.py --all", "nightly"),
        ("bash scripts/backup.sh", "backup"),
        ("scripts/backup.sh now", "backup"),
        ("celery -A shop purge", "celery"),
        ("sh -c 'echo hi'", "echo-hi"),
        ("python", "python"),
    ] {
        assert_eq!(name(command).as_deref(), Some(expected), "{command}");
    }
    assert_eq!(name("./2.sh"), None);
    assert_eq!(name(""), None);
}

fn entry(name: &str, at: &str) -> Entry {
    Entry {
        name: name.to_owned(),
        at: schedule(at),
        run: "true".to_owned(),
        env: Default::default(),
        user: None,
    }
}

fn block(root: &str) -> Block {
    Block::of(Path::new(root), "/usr/local/bin/release")
}

const LINE: &str = "0 5 * * 0 /usr/local/bin/release cron run clear --at '0 5 * * 0' --root /srv/shop";

#[test]
fn a_line_is_safe_from_the_shell_and_from_cron() {
    assert_eq!(block("/srv/shop").line(&entry("clear", "0 5 * * 0")), LINE);
    let line = Block::of(Path::new("/srv/a b"), "/opt/50%/release").line(&entry("clear", "@daily"));
    assert_eq!(line, "@daily '/opt/50\\%/release' cron run clear --at '@daily' --root '/srv/a b'");
}

#[test]
fn only_the_own_block_changes_byte_for_byte() {
    let other = block("/srv/shop2");
    let crontab = other.replace(b"# mine\r\n\xff\xfe 0 1 * * * x %%\n\n", &["* * * * * y".to_owned()]);
    let block = block("/srv/shop");
    let with = block.replace(&crontab, &[LINE.to_owned()]);
    assert!(with.starts_with(&crontab));
    assert_eq!(block.lines(&with), [LINE]);
    assert_eq!(other.lines(&with), ["* * * * * y"]);
    assert_eq!(block.replace(&with, &[]), crontab);
    let after = [with.clone(), b"MAILTO=me\n".to_vec()].concat();
    let lines = [LINE.to_owned(), LINE.to_owned()];
    let changed = block.replace(&after, &lines);
    assert!(changed.starts_with(&crontab) && changed.ends_with(b"# end release /srv/shop\nMAILTO=me\n"));
    assert_eq!(block.lines(&changed), lines);
    assert_eq!(block.replace(&changed, &[LINE.to_owned()]), after);
}

#[test]
fn an_empty_crontab_and_a_missing_newline_are_no_obstacle() {
    let block = block("/srv/shop");
    assert_eq!(block.replace(b"", &[]), b"");
    let text = String::from_utf8(block.replace(b"* * * * * x", &[LINE.to_owned()])).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "* * * * * x");
    assert_eq!(
        (lines[1], lines[3], lines[4]),
        ("# begin release /srv/shop", LINE, "# end release /srv/shop")
    );
    assert!(text.ends_with('\n'));
}

#[test]
fn a_block_whose_end_was_removed_takes_nothing_of_others_with_it() {
    let block = block("/srv/shop");
    let with = block.replace(b"", &[LINE.to_owned()]);
    let cut = String::from_utf8(with).unwrap().replace("# end release /srv/shop\n", "0 1 * * * mine\n");
    assert_eq!(block.replace(cut.as_bytes(), &[]), b"0 1 * * * mine\n");
    assert_eq!(block.lines(cut.as_bytes()), [LINE]);
}

#[test]
fn cron_begins_an_entry_once_a_minute_whoever_ran_it_meanwhile() {
    let release = || "20261120T101500Z-3f2c1a9".parse().unwrap();
    let at = |text: &str| text.parse().unwrap();
    let first = LastRun::begin(release(), at("2026-11-20T05:00:01Z"), true, None);
    assert!(first.is_of(at("2026-11-20T05:00:59Z")));
    assert!(!first.is_of(at("2026-11-20T05:01:00Z")));
    let by_hand = LastRun::begin(release(), at("2026-11-20T05:00:20Z"), false, Some(&first));
    assert!(by_hand.is_of(at("2026-11-20T05:00:59Z")));
    let alone = LastRun::begin(release(), at("2026-11-20T05:00:20Z"), false, None);
    assert!(!alone.is_of(at("2026-11-20T05:00:59Z")), "a run by hand takes no turn of cron's away");
}

#[test]
fn a_run_failed_when_it_ended_otherwise_than_well() {
    let now = "2026-11-20T05:00:01Z".parse().unwrap();
    let mut run = LastRun::begin("20261120T101500Z-3f2c1a9".parse().unwrap(), now, true, None);
    assert_eq!(run.failed(), None);
    for (exit_code, failed) in [(Some(0), false), (Some(2), true), (None, true)] {
        run.ended = Some(Ended { at: now, exit_code, failure: Vec::new() });
        assert_eq!(run.failed().is_some(), failed);
    }
}
