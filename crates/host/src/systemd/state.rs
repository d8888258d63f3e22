//! What systemd says of a unit, and what that means to us.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use release_core::service::Running;

/// What is asked of systemd.
pub(super) const PROPERTIES: &str =
    "Id,ActiveState,SubState,MainPID,Job,ActiveEnterTimestampMonotonic,Result,ExecMainStatus";

/// Exit statuses of systemd itself, of what it could not even start (`systemd.exec(5)`).
const ITS_OWN: RangeInclusive<u8> = 200..=245;

/// A program must run for so long to be trusted: what dies at once was never up.
const TRUSTED_AFTER: Duration = Duration::from_secs(1);

/// A unit, as `systemctl show` describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UnitState {
    pub(super) running: Running,
    pub(super) pid: Option<u32>,
    /// How it ended, if it has failed.
    pub(super) ended: Option<String>,
}

/// The units in the lines of `systemctl show`, by name; `now` is the machine's monotonic clock.
pub(super) fn read(lines: &[String], now: Duration) -> BTreeMap<String, UnitState> {
    let mut units = BTreeMap::new();
    for block in lines.split(|line| line.is_empty()) {
        let values: BTreeMap<&str, &str> = block.iter().filter_map(|line| line.split_once('=')).collect();
        if let Some(id) = values.get("Id") {
            units.insert((*id).to_owned(), unit(&values, now));
        }
    }
    units
}

fn unit(values: &BTreeMap<&str, &str>, now: Duration) -> UnitState {
    let value = |name: &str| values.get(name).copied().unwrap_or_default();
    let since = value("ActiveEnterTimestampMonotonic").parse().map(Duration::from_micros).unwrap_or_default();
    let running = match (value("ActiveState"), value("SubState")) {
        // It has ended by itself, and waits for its next start.
        ("activating", "auto-restart" | "auto-restart-queued") => Running::Failed,
        ("failed", _) if !is_told(values) => Running::Failed,
        ("activating", _) => Running::Starting,
        ("active", _) if now.saturating_sub(since) < TRUSTED_AFTER => Running::Starting,
        ("active" | "reloading" | "refreshing", _) => Running::Running,
        ("deactivating", _) => Running::Stopping,
        _ if is_told(values) => Running::Starting,
        _ => Running::Stopped,
    };
    let pid = value("MainPID").parse().ok().filter(|pid| *pid != 0);
    let ended = (running == Running::Failed).then(|| ended(value("Result"), value("ExecMainStatus")));
    UnitState { running, pid, ended }
}

fn ended(result: &str, status: &str) -> String {
    let is_its_own = status.parse().is_ok_and(|status| ITS_OWN.contains(&status));
    match result {
        "exit-code" if is_its_own => format!("exit status {status} of systemd, see systemd.exec(5)"),
        "exit-code" | "success" => format!("exit status {status}"),
        "signal" | "core-dump" => format!("signal {status}"),
        other => other.to_owned(),
    }
}

/// Whether systemd was told to start it, or to end it, and has not come to that yet.
fn is_told(values: &BTreeMap<&str, &str>) -> bool {
    values.get("Job").is_some_and(|job| !job.is_empty() && *job != "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states(text: &str) -> Vec<(String, Running, Option<u32>)> {
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let units = read(&lines, Duration::from_secs(100));
        units.into_iter().map(|(name, unit)| (name, unit.running, unit.pid)).collect()
    }

    #[test]
    fn how_a_unit_ended_is_told() {
        assert_eq!(ended("exit-code", "1"), "exit status 1");
        assert_eq!(ended("exit-code", "219"), "exit status 219 of systemd, see systemd.exec(5)");
        assert_eq!(ended("success", "0"), "exit status 0");
        assert_eq!([ended("signal", "9"), ended("core-dump", "11")], ["signal 9", "signal 11"]);
        assert_eq!(ended("oom-kill", "9"), "oom-kill");
        let failed = "Id=a\nActiveState=failed\nSubState=failed\nResult=signal\nExecMainStatus=9";
        let lines: Vec<String> = failed.lines().map(str::to_owned).collect();
        assert_eq!(read(&lines, Duration::ZERO)["a"].ended.as_deref(), Some("signal 9"));
    }

    #[test]
    fn each_unit_is_read_from_its_block() {
        let text = "MainPID=11\nId=a\nActiveState=active\nSubState=running\nActiveEnterTimestampMonotonic=90000000\n\n\
                    MainPID=12\nId=b\nActiveState=active\nSubState=running\nActiveEnterTimestampMonotonic=99500000\n\n\
                    MainPID=0\nId=c\nActiveState=activating\nSubState=auto-restart\n\n\
                    MainPID=13\nId=d\nActiveState=activating\nSubState=start\n\n\
                    MainPID=14\nId=e\nActiveState=deactivating\nSubState=stop-sigterm\n\n\
                    MainPID=0\nId=f\nActiveState=failed\nSubState=failed\n\n\
                    MainPID=0\nId=g\nActiveState=inactive\nSubState=dead\nJob=\n\n\
                    MainPID=0\nId=h\nActiveState=inactive\nSubState=dead\nJob=71\n";
        let found = states(text);
        let short: Vec<(&str, Running, Option<u32>)> =
            found.iter().map(|(name, running, pid)| (name.as_str(), *running, *pid)).collect();
        assert_eq!(
            short,
            [
                ("a", Running::Running, Some(11)),
                ("b", Running::Starting, Some(12)),
                ("c", Running::Failed, None),
                ("d", Running::Starting, Some(13)),
                ("e", Running::Stopping, Some(14)),
                ("f", Running::Failed, None),
                ("g", Running::Stopped, None),
                ("h", Running::Starting, None),
            ]
        );
    }
}
