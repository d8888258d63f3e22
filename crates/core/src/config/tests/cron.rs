//! `cron:`.

use super::{MINIMAL, app, both};
use crate::config::{Config, Scope};

#[test]
fn entries_of_cron_are_read_and_named() {
    let text = "\
cron:
  - {at: \"0 5 * * 0\", run: python manage.py clear_models}
  - {at: \"@daily\", run: python manage.py clear_models --all, name: clear-all, env: {DAYS: 3}, user: www-data}
";
    let config = app(&format!("{MINIMAL}{text}")).unwrap();
    let names: Vec<_> = config.cron.iter().map(|entry| (entry.name.as_str(), entry.at.as_str())).collect();
    assert_eq!(names, [("clear-models", "0 5 * * 0"), ("clear-all", "@daily")]);
    assert_eq!(config.cron[1].env["DAYS"], "3");
    assert_eq!((&config.cron[0].user, config.cron[1].user.as_deref()), (&None, Some("www-data")));
    let stored = serde_json::to_string(&config).unwrap();
    assert_eq!(serde_json::from_str::<Config>(&stored).unwrap(), config);
    // The server's list replaces the app's.
    assert_eq!(both(&format!("{MINIMAL}{text}"), Some("cron: []\n")).unwrap().cron, []);
}

#[test]
fn the_timers_of_systemd_start_entries_where_it_runs_the_services_unless_it_is_said() {
    for (text, timers) in [
        ("keep: 3", None),
        ("manager: systemd", Some(Scope::Auto)),
        ("manager: {systemd: user}", Some(Scope::User)),
        ("{manager: systemd, cron_by: crontab}", None),
        ("cron_by: timers", Some(Scope::Auto)),
        ("cron_by: crontab", None),
    ] {
        assert_eq!(both(MINIMAL, Some(text)).unwrap().timers(), timers, "{text}");
    }
    let wrong = app(&format!("{MINIMAL}cron_by: systemd\n")).unwrap_err();
    assert!(wrong[0].contains("cron_by: ") && wrong[0].contains("`crontab` or `timers`"), "{wrong:?}");
}

#[test]
fn a_wrong_entry_of_cron_is_told_by_its_line() {
    let text = "\
app: shop
cron:
  - {at: \"0 25 * * 0\", run: python manage.py clear}
  - {run: \"echo 'hi\"}
  - {at: \"@daily\", name: Clear!, run: x, timezone: UTC}
  - {at: \"@daily\", run: ./2.sh}
  - {at: 5, run: \" \"}
  - {at: \"@daily\", run: y}
  - {at: \"@hourly\", run: bin/y}
";
    let fields = "lists are `1,15`, ranges `1-5`, steps `*/10` or `8-18/2`; Sunday is 0, or write `mon-fri`";
    assert_eq!(
        app(text).unwrap_err(),
        [
            &format!(
                "release.yml:3: cron.0.at: `25` is no hour: 0 to 23, `*`, a list, a range or a step are (help: {fields})"
            ),
            "release.yml:4: cron.1: `at` is missing (help: say when it runs: `at: \"0 5 * * 0\"`, or `at: \"@daily\"`)",
            "release.yml:4: cron.1.run: a quote is not closed",
            "release.yml:5: cron.2.name: `Clear!` is not a plain name (help: begin with a letter; use lowercase letters, digits, `-` and `_`, at most 32 of them)",
            "release.yml:5: unknown key `cron.2.timezone` (help: known keys are at, run, name, env, user)",
            "release.yml:6: cron.3: its command gives it no name (help: give it a `name:`)",
            "release.yml:7: cron.4.at: invalid type: integer `5`, expected a string",
            "release.yml:7: cron.4: `run` is missing (help: say what it runs: `run: python manage.py clearsessions`)",
            "release.yml:9: cron.6: another entry is called `y` (help: give each a `name:` of its own)",
        ]
    );
    for unquoted in ["at: @daily", "at: */5 * * * *"] {
        let problems = app(&format!("app: shop\ncron: \n  - {unquoted}\n")).unwrap_err();
        assert!(problems[0].starts_with("release.yml:3: ") && problems[0].contains("quotes"), "{problems:?}");
    }
}
