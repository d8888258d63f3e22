//! The crontab of the user who deploys, by the program `crontab`: only that may write it.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use release_core::host::{Clock, Crontab, Files, HostError, HostResult, Processes};
use rustix::fs::{FlockOperation, flock};

use crate::UnixHost;
use crate::files::failed;

const PROGRAM: &str = "crontab";
/// How long other deploys of this machine may take to write theirs.
const LIMIT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(10);

impl Crontab for UnixHost {
    fn crontab(&self) -> HostResult<Vec<u8>> {
        let read = call("-l", None).map_err(|error| unusable("read", &error))?;
        match read.status.success() {
            true if shows_returns(&read.stdout) => Err(returns()),
            true => Ok(read.stdout),
            // Any other refusal must not look like a crontab with nothing in it.
            false if said(&read).starts_with("no crontab for ") => Ok(Vec::new()),
            false => Err(refused("read", &said(&read))),
        }
    }

    fn change_crontab(&self, change: &dyn Fn(&[u8]) -> Vec<u8>) -> HostResult<()> {
        let _lock = self.only_one()?;
        let before = self.crontab()?;
        let after = change(&before);
        if after == before {
            return Ok(());
        }
        let written = call("-", Some(&after)).map_err(|error| unusable("written", &error))?;
        if written.status.success() { Ok(()) } else { Err(refused("written", &said(&written))) }
    }

    fn cron_runs(&self) -> HostResult<Option<bool>> {
        if GENERATORS.iter().any(|path| Path::new(path).exists()) {
            return Ok(Some(true));
        }
        // With `hidepid` one sees one's own processes alone, and never the first.
        if name_of_process(Path::new("/proc/1")).is_none() {
            return Ok(None);
        }
        let processes = self.list(Path::new("/proc"))?;
        let names = processes.iter().filter_map(|process| name_of_process(process));
        Ok(Some(names.into_iter().any(|name| DAEMONS.contains(&name.as_str()))))
    }
}

/// What the programs that read crontabs call themselves.
const DAEMONS: [&str; 4] = ["cron", "crond", "fcron", "bcron-sched"];

/// systemd-cron makes timers of crontabs, and needs no daemon.
const GENERATORS: [&str; 2] = [
    "/usr/lib/systemd/system-generators/systemd-crontab-generator",
    "/lib/systemd/system-generators/systemd-crontab-generator",
];

/// A process that has just ended has no name.
fn name_of_process(directory: &Path) -> Option<String> {
    let name = std::fs::read_to_string(directory.join("comm")).ok()?;
    Some(name.trim_end().to_owned())
}

impl UnixHost {
    /// The program itself is what all who deploy on this machine can hold a lock on.
    fn only_one(&self) -> HostResult<File> {
        let missing = || unusable("written", &io::Error::from(ErrorKind::NotFound));
        let path = self.find_program(PROGRAM).ok_or_else(missing)?;
        let file = File::open(&path).map_err(failed("open", &path))?;
        let end = self.elapsed() + LIMIT;
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(file),
                Err(rustix::io::Errno::WOULDBLOCK) if self.elapsed() < end => self.pause(POLL)?,
                Err(rustix::io::Errno::WOULDBLOCK) => return Err(busy(&path)),
                Err(error) => return Err(failed("lock", &path)(error.into())),
            }
        }
    }
}

/// `crontab WORD`, with `input`.
fn call(word: &str, input: Option<&[u8]>) -> io::Result<Output> {
    let mut command = Command::new(PROGRAM);
    command.arg(word).env("LC_ALL", "C").stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() }).spawn()?;
    if let (Some(mut stdin), Some(input)) = (child.stdin.take(), input) {
        // What it refused to read it says itself.
        let _ = stdin.write_all(input);
    }
    child.wait_with_output()
}

fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn unusable(tried: &str, error: &io::Error) -> HostError {
    let (what, help) = match error.kind() {
        ErrorKind::NotFound => (
            "the program `crontab` is not installed".to_owned(),
            "install cron: `sudo apt-get install cron`, or say `cron: []` in the server's release.yml",
        ),
        _ => (error.to_string(), "try it yourself: `crontab -l`"),
    };
    HostError::Crontab { what: format!("{tried}: {what}"), help: help.to_owned() }
}

/// What `crontab` says of users that `/etc/cron.allow` or `/etc/cron.deny` keeps out.
fn refused(tried: &str, said: &str) -> HostError {
    let help = if said.contains("not allowed") {
        "let this user in: add the name to /etc/cron.allow if that exists, else take it out of /etc/cron.deny"
    } else {
        "try it yourself: `crontab -l`"
    };
    HostError::Crontab { what: format!("{tried}: {said}"), help: help.to_owned() }
}

/// Debian's `crontab -l` shows a carriage return as `\r`: written back, it would be two letters.
fn shows_returns(crontab: &[u8]) -> bool {
    crontab.split(|byte| *byte == b'\n').any(|line| line.ends_with(b"\\r"))
}

fn returns() -> HostError {
    HostError::Crontab {
        what: "read: it has lines that end with a carriage return".to_owned(),
        help: "take them out: `crontab -l | sed 's/\\\\r$//' | crontab -`".to_owned(),
    }
}

fn busy(program: &Path) -> HostError {
    HostError::Crontab {
        what: format!("written: others have been at it for {} s", LIMIT.as_secs()),
        help: format!("find out who: `fuser -v {}`", program.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_crontab_says_tells_what_to_do() {
        let text = refused("read", "You (shop) are not allowed to use this program (crontab)");
        assert!(text.help().unwrap().contains("/etc/cron.allow"), "{text}");
        let missing = unusable("read", &io::Error::from(ErrorKind::NotFound));
        assert_eq!(missing.to_string(), "the crontab cannot be read: the program `crontab` is not installed");
        assert!(missing.help().unwrap().contains("apt-get install cron"));
    }
}
