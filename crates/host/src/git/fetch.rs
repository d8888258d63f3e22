//! Fetching, by git itself: it reaches every server that the user's own git reaches, with their
//! keys, their `~/.ssh/config` and their credential helpers.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::path::Path;

use git2::Repository;
use release_core::command::{Command, Secret, Variables};
use release_core::event::Progress;
use release_core::host::{HostError, HostResult, Processes};

use super::address::{is_path, without_password};
use super::{because, mirror};
use crate::UnixHost;

/// Branches and tags of the mirror are those of the repository, also after a forced push.
const REFSPECS: [&str; 2] = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"];
/// Always one pack: git syncs packs to the disk before a ref names what is in them. A server
/// that sends nothing for five minutes is given up. Packs are put together after a deploy.
const SETTINGS: [&str; 5] = [
    "fetch.unpackLimit=1",
    "http.lowSpeedLimit=1",
    "http.lowSpeedTime=300",
    "gc.auto=0",
    "maintenance.auto=false",
];
/// Nobody is there to answer a question, and a dead connection must be noticed.
const SSH: &str = "ssh -o BatchMode=yes -o ConnectTimeout=30 -o ServerAliveInterval=15";
/// How much of what git printed is shown when it failed.
const LINES: usize = 8;

/// Brings `mirror` up to date with `url`.
pub(super) fn fetch(
    host: &UnixHost,
    mirror: &Path,
    url: &str,
    progress: &dyn Fn(Progress),
) -> HostResult<()> {
    mirror::ready(mirror, url)?;
    let mut printed = VecDeque::new();
    let run = host.run(&command(mirror, url), &mut |line| match told(line) {
        Told::Progress(Some(done)) => progress(done),
        Told::Progress(None) => {}
        Told::Line => {
            printed.push_back(line.to_owned());
            if printed.len() > LINES {
                printed.pop_front();
            }
        }
    });
    let exit = run.map_err(|error| without_command(error, url))?;
    if exit.success() { Ok(()) } else { Err(not_fetched(mirror, url, &Vec::from(printed).join("; "))) }
}

/// The command would be told with the password that may stand in the address.
fn without_command(error: HostError, url: &str) -> HostError {
    match error {
        HostError::TimedOut { limit, .. } => {
            HostError::TimedOut { what: format!("fetching from {}", without_password(url)), limit }
        }
        other => other,
    }
}

fn command(mirror: &Path, url: &str) -> Command {
    let settings = SETTINGS.iter().flat_map(|setting| ["-c", setting]);
    let fetch = ["fetch", "--progress", "--prune", "--no-tags", "--no-recurse-submodules", "--"];
    Command::new("git", mirror)
        .args(["--git-dir", "."])
        .args(settings)
        .args(fetch)
        .args([url])
        .args(REFSPECS)
        .env(variables(mirror))
        .var("LC_ALL", "C")
        // A server that asks for a password must not hang a deploy.
        .var("GIT_TERMINAL_PROMPT", "0")
}

/// How servers are reached: as the user says, by variables or in git's configuration.
pub(super) fn variables(mirror: &Path) -> Variables {
    let mut variables = kept_variables(readable(std::env::vars_os()));
    let config = Repository::open_bare(mirror).and_then(|repository| repository.config());
    let configured = config.is_ok_and(|config| config.get_entry("core.sshCommand").is_ok());
    if !configured && !variables.keys().any(|name| name.starts_with("GIT_SSH")) {
        variables.insert("GIT_SSH_COMMAND".to_owned(), Secret::new(SSH));
    }
    variables
}

/// Others cannot be passed on, and none of git's own is like that.
fn readable(all: impl Iterator<Item = (OsString, OsString)>) -> impl Iterator<Item = (String, String)> {
    all.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// What a person says by git's own variables; others are a hook's.
fn kept_variables(all: impl Iterator<Item = (String, String)>) -> Variables {
    let kept = |name: &str| ["GIT_SSH", "GIT_SSL_", "GIT_ASKPASS"].iter().any(|kept| name.starts_with(kept));
    all.filter(|(name, _)| kept(name)).map(|(name, value)| (name, Secret::new(value))).collect()
}

/// What a line of git's says.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    /// How far it is, where that is for people to see.
    Progress(Option<Progress>),
    /// Something else.
    Line,
}

/// Reads lines such as `Receiving objects:  45% (450/1000), 3.20 MiB | 1.60 MiB/s`.
fn told(line: &str) -> Told {
    let counted = || {
        let (what, rest) = line.split_once(": ")?;
        let (percent, rest) = rest.split_once("% (")?;
        let (done, rest) = rest.split_once('/')?;
        let (total, _) = rest.split_once(')')?;
        percent.trim().parse::<u8>().ok()?;
        Some((what, done.parse().ok()?, total.parse().ok()?))
    };
    match counted() {
        Some(("Receiving objects", done, total)) => {
            Told::Progress(Some(Progress { done, total, unit: "objects" }))
        }
        Some(("Resolving deltas", done, total)) => {
            Told::Progress(Some(Progress { done, total, unit: "deltas" }))
        }
        Some(_) => Told::Progress(None),
        None if is_summary(line) => Told::Progress(None),
        None => Told::Line,
    }
}

/// What git sends and does when all is well.
fn is_summary(line: &str) -> bool {
    let remote = line.strip_prefix("remote: ").unwrap_or_default();
    let counts = remote.starts_with("Total ") || remote.contains("objects: ");
    let reference = line.starts_with("From ") || (line.starts_with(' ') && !line.starts_with(" ! "));
    counts || reference
}

fn not_fetched(mirror: &Path, url: &str, printed: &str) -> HostError {
    let shown = without_password(url);
    // git prints the address as it was given.
    let printed = printed.replace(url, &shown);
    if printed.contains("No space left on device") {
        let help = format!("free some space: `df -h {}`", mirror.display());
        return because(format!("cannot store what {shown} sent"), Some(help), printed);
    }
    if is_path(&shown) && !Path::new(&shown).exists() {
        let help =
            format!("correct `repository:` in the root's release.yml, or make it: `git init --bare {shown}`");
        return because(format!("there is no repository at {shown}"), Some(help), printed);
    }
    let help = not_trusted(&printed, &shown);
    let help = help.unwrap_or_else(|| format!("can this user reach it? `git ls-remote {shown}`"));
    because(format!("cannot fetch from {shown}"), Some(help), printed)
}

/// What to do about a repository on this machine that git does not trust because of its owner.
fn not_trusted(printed: &str, url: &str) -> Option<String> {
    printed.contains("dubious ownership").then(|| super::trust(url))
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_variable_that_is_no_utf8_is_passed_over() {
        let odd = (OsString::from("ODD"), OsString::from_vec(b"caf\xe9".to_vec()));
        let plain = (OsString::from("GIT_SSH"), OsString::from("ssh"));
        let all: Vec<_> = readable([odd, plain].into_iter()).collect();
        assert_eq!(all, [("GIT_SSH".to_owned(), "ssh".to_owned())]);
    }

    #[test]
    fn the_progress_of_git_is_understood() {
        let at = |done, total, unit| Told::Progress(Some(Progress { done, total, unit }));
        for (line, expected) in [
            ("Receiving objects:  45% (450/1000), 3.20 MiB | 1.60 MiB/s", at(450, 1000, "objects")),
            ("Receiving objects: 100% (3/3), done.", at(3, 3, "objects")),
            ("Resolving deltas:   0% (0/12)", at(0, 12, "deltas")),
            ("remote: Compressing objects: 100% (2/2), done.", Told::Progress(None)),
            ("remote: Enumerating objects: 5, done.", Told::Progress(None)),
            ("remote: Total 5 (delta 0), reused 0 (delta 0)", Told::Progress(None)),
            (" * [new branch]      main -> main", Told::Progress(None)),
            (" ! [rejected]        main -> main", Told::Line),
            ("fatal: 'x' does not appear to be a git repository", Told::Line),
            ("remote: Repository not found.", Told::Line),
            ("git@example.org: Permission denied (publickey).", Told::Line),
        ] {
            assert_eq!(told(line), expected, "{line}");
        }
    }

    #[test]
    fn the_variables_of_a_person_are_kept_and_those_of_a_hook_are_not() {
        let all = ["GIT_SSH_COMMAND", "GIT_SSL_CAINFO", "GIT_DIR", "GIT_QUARANTINE_PATH", "HOME"];
        let kept = kept_variables(all.into_iter().map(|name| (name.to_owned(), "x".to_owned())));
        assert_eq!(kept.into_keys().collect::<Vec<_>>(), ["GIT_SSH_COMMAND", "GIT_SSL_CAINFO"]);
    }

    #[test]
    fn a_full_disk_is_not_the_fault_of_the_server() {
        let full = "fatal: write error: No space left on device";
        let error = not_fetched(Path::new("/srv/shop/repo"), "/srv/git/shop.git", full);
        assert_eq!(error.to_string(), "cannot store what /srv/git/shop.git sent");
        assert_eq!(error.help().unwrap(), "free some space: `df -h /srv/shop/repo`");
    }

    #[test]
    fn a_path_with_nothing_there_is_told_as_that() {
        let error = not_fetched(Path::new("/srv/shop/repo"), "/nowhere/shop.git", "fatal: no");
        assert_eq!(error.to_string(), "there is no repository at /nowhere/shop.git");
        assert!(error.help().unwrap().ends_with("`git init --bare /nowhere/shop.git`"));
    }

    #[test]
    fn no_password_is_shown() {
        let url = "https://ana:hunter2@example.org/shop.git";
        let printed = format!("fatal: unable to access '{url}/': could not resolve host");
        let HostError::Git { what, help, source } = not_fetched(Path::new("/srv/shop/repo"), url, &printed)
        else {
            panic!("another error");
        };
        let late = HostError::TimedOut { what: format!("git fetch {url}"), limit: Duration::from_secs(9) };
        let late = without_command(late, url);
        let all = format!("{what} {help:?} {source} {late}");
        assert!(!all.contains("hunter2") && all.contains("https://example.org/shop.git"), "{all}");
    }
}
