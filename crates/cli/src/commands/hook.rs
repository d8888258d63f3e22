//! `release hook`: deploys what is pushed to a bare repository.
//!
//! The deploy itself runs detached: when the pushing client goes away it goes on to its end. The
//! hook follows its log. Each push waits for the lock and then deploys what the branch is at
//! that time, so the newest push wins and none is deployed out of order.

use std::io::{BufRead, Read, Seek};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use release_core::config::Wait;
use release_core::exit_code;
use release_core::host::{Clock, Files};

use crate::error::Error;
use crate::output::Screen;
use crate::own_path;
use crate::site::Site;

const MARK: &str = "# Installed by `release hook install`";
const NO_COMMIT: &str = "0000000000000000000000000000000000000000";
/// How long a push waits for the deploys before it.
const PATIENCE: Wait = Wait::seconds(3600);

/// Puts the hook into `repository`.
pub(crate) fn install(site: &Site, screen: &Screen, repository: &Path) -> Result<u8, Error> {
    let hooks = repository.canonicalize().ok().map(|path| path.join("hooks")).filter(|hooks| {
        let head = hooks.with_file_name("HEAD");
        site.host.kind(&head).is_ok_and(|kind| kind.is_some())
    });
    let hooks = hooks.ok_or_else(|| Error::Usage {
        what: format!("{} is no bare git repository", repository.display()),
        help: format!("make one: `git init --bare {}`", repository.display()),
    })?;
    let path = hooks.join("post-receive");
    let script = script(site)?;
    let other = site.host.read(&path)?.is_some_and(|text| !String::from_utf8_lossy(&text).contains(MARK));
    if other {
        return Err(occupied(&path, &script));
    }
    site.host.write(&path, script.as_bytes(), 0o755)?;
    screen.say(&format!("installed {}; a push to the branch of release.yml deploys it", path.display()));
    Ok(exit_code::DONE)
}

fn script(site: &Site) -> Result<String, Error> {
    let own = own_path::find()?;
    let words = [
        &own.display().to_string(),
        "hook",
        "post-receive",
        "--root",
        &site.layout.root().display().to_string(),
    ];
    let command = shell_words::join(words);
    Ok(format!("#!/bin/sh\n{MARK}: a push to the configured branch is deployed.\nexec {command}\n"))
}

fn occupied(path: &Path, script: &str) -> Error {
    let command = script.lines().last().unwrap_or_default().trim_start_matches("exec ");
    Error::Usage {
        what: format!("{} exists already and is not ours", path.display()),
        help: format!("add this line to it: `{command}`"),
    }
}

/// What git calls after a push: reads `old new ref` lines, deploys the configured branch.
pub(crate) fn post_receive(site: &Site, screen: &Screen) -> Result<u8, Error> {
    let branch = site.origin()?.branch.unwrap_or_else(|| "main".to_owned());
    let mut pushed = None;
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let mut words = line.split(' ');
        let (Some(_), Some(new), Some(name)) = (words.next(), words.next(), words.next()) else { continue };
        match (name == format!("refs/heads/{branch}"), new == NO_COMMIT) {
            (true, false) => pushed = Some(new.to_owned()),
            (_, true) => screen.say(&format!("{name} was deleted; that deploys nothing")),
            (false, false) => screen.say(&format!("{name} received; only the branch {branch} is deployed")),
        }
    }
    match pushed {
        Some(revision) => deploy(site, screen, &branch, &revision),
        None => Ok(exit_code::DONE),
    }
}

fn deploy(site: &Site, screen: &Screen, branch: &str, revision: &str) -> Result<u8, Error> {
    // git runs the hook in the repository that received the push.
    let repository =
        std::env::current_dir().map_err(|error| Error::Bug(format!("no working directory: {error}")))?;
    forget_dead_hooks(site)?;
    let log = site.layout.push_log(std::process::id());
    site.host.write(&log, b"", 0o600)?;
    let worker =
        detached(site, &own_path::find()?, &repository, branch, &log).map_err(|source| Error::Failed {
            what: format!("cannot start the deploy: {source}"),
            help: format!("deploy it by hand: `release deploy {branch}`"),
        })?;
    // Only now: who reads this may go away at once.
    screen.say(&format!(
        "{branch} is now {}; deploying (it goes on if you disconnect)",
        revision.get(..7).unwrap_or(revision)
    ));
    let code = follow(site, screen, &log, worker)?;
    site.host.remove(&log)?;
    Ok(code)
}

/// A hook that was killed leaves its copy of the output; the release's own log has it all.
fn forget_dead_hooks(site: &Site) -> Result<(), Error> {
    for log in site.host.list(&site.layout.push_logs())? {
        let process = log.file_stem().map(|pid| Path::new("/proc").join(pid));
        if process.is_none_or(|process| !process.exists()) {
            site.host.remove(&log)?;
        }
    }
    Ok(())
}

/// `release deploy` in a process group of its own, so that what ends the hook does not end it.
fn detached(site: &Site, own: &Path, repository: &Path, branch: &str, log: &Path) -> std::io::Result<Child> {
    use std::os::unix::process::CommandExt;
    let output = std::fs::OpenOptions::new().append(true).open(log)?;
    let mut command = std::process::Command::new(own);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("GIT_")) {
        command.env_remove(name);
    }
    command
        .args(["deploy", &format!("--wait={PATIENCE}"), "--repository"])
        .arg(repository)
        .arg("--root")
        .arg(site.layout.root())
        .args(["--", branch])
        .current_dir(site.layout.root())
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .process_group(0)
        .spawn()
}

/// Prints what the worker writes until it ends.
fn follow(site: &Site, screen: &Screen, log: &Path, mut worker: Child) -> Result<u8, Error> {
    let unreadable = |error: std::io::Error| Error::Bug(format!("cannot follow {}: {error}", log.display()));
    let mut file = std::fs::File::open(log).map_err(unreadable)?;
    let mut place = 0;
    loop {
        // Asked before reading, so that the last lines are read after the end.
        let ended = worker.try_wait().map_err(unreadable)?;
        file.seek(std::io::SeekFrom::Start(place)).map_err(unreadable)?;
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(unreadable)?;
        let end = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        text.truncate(if ended.is_some() { text.len() } else { end });
        place += text.len() as u64;
        for line in String::from_utf8_lossy(&text).lines() {
            screen.say(line);
        }
        if let Some(status) = ended {
            return Ok(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(exit_code::FAILED));
        }
        site.host.pause(Duration::from_millis(50))?;
    }
}
