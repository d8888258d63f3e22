//! The bare mirror: every branch and tag of the app's repository, as it is there.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use git2::{
    AutotagOption, Direction, FetchOptions, ProxyOptions, RemoteCallbacks, RemoteUpdateFlags, Repository,
    RepositoryInitOptions,
};
use release_core::event::Progress;
use release_core::host::{HostError, HostResult};

use super::credentials::Credentials;
use super::{Pace, git_error, not_ours};
use crate::Interruption;
use crate::files::failed;

const REFSPECS: [&str; 2] = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"];
/// How long a server may say nothing at all.
const SILENCE: Duration = Duration::from_secs(300);
/// How long libgit2 may take to hear that it is to stop.
const STOPPING: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(50);

/// Brings `mirror` up to date with `url`.
///
/// On a thread of its own: libgit2 cannot be interrupted while it waits for a server, but left.
pub(super) fn fetch(
    mirror: &Path,
    url: &str,
    progress: &dyn Fn(Progress),
    interruption: &Interruption,
) -> HostResult<()> {
    interruption.check()?;
    fs::create_dir_all(mirror).map_err(failed("make the directory", mirror))?;
    remove_leftovers(mirror).map_err(failed("tidy up", mirror))?;
    let stop = Arc::new(AtomicBool::new(false));
    let (sender, signs) = mpsc::channel();
    let worker = thread::spawn({
        let (mirror, url, stop) = (mirror.to_owned(), url.to_owned(), Arc::clone(&stop));
        move || update(&mirror, &url, &sender, &stop)
    });
    if let Err(error) = listen(&signs, url, progress, interruption) {
        stop.store(true, Ordering::SeqCst);
        wait_for_end(&signs);
        return Err(error);
    }
    match worker.join() {
        Ok(result) => result.map_err(|source| failed_fetch(mirror, url, source)),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// What the fetching thread tells: how far it is, or only that it lives.
type Sign = Option<Progress>;

fn listen(
    signs: &Receiver<Sign>,
    url: &str,
    progress: &dyn Fn(Progress),
    interruption: &Interruption,
) -> HostResult<()> {
    let mut last = Instant::now();
    loop {
        match signs.recv_timeout(POLL) {
            Ok(sign) => {
                last = Instant::now();
                sign.into_iter().for_each(progress);
            }
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
            Err(RecvTimeoutError::Timeout) if last.elapsed() > SILENCE => {
                return Err(HostError::TimedOut {
                    what: format!("an answer from {}", without_password(url)),
                    limit: SILENCE,
                });
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
        interruption.check()?;
    }
}

fn wait_for_end(signs: &Receiver<Sign>) {
    let end = Instant::now() + STOPPING;
    while Instant::now() < end && signs.recv_timeout(POLL) != Err(RecvTimeoutError::Disconnected) {}
}

fn update(mirror: &Path, url: &str, sender: &Sender<Sign>, stop: &AtomicBool) -> Result<(), git2::Error> {
    let repository = ready(mirror)?;
    remember(&repository, url)?;
    let mut remote = repository.remote_anonymous(url)?;
    let callbacks = callbacks(sender, stop);
    let mut connection = remote.connect_auth(Direction::Fetch, Some(callbacks), Some(proxy()))?;
    let remote = connection.remote();
    let mut options = FetchOptions::new();
    options.remote_callbacks(self::callbacks(sender, stop)).proxy_options(proxy());
    options.download_tags(AutotagOption::None).update_fetchhead(false);
    remote.download(&REFSPECS, Some(&mut options))?;
    // Before the new ones come: a deleted branch `a` would stand in the way of a new `a/b`.
    remote.prune(None)?;
    remote.update_tips(None, RemoteUpdateFlags::empty(), AutotagOption::None, None)?;
    // The last of these had been held back by the pace.
    let objects = remote.stats().total_objects() as u64;
    let _ = sender.send(Some(Progress { done: objects, total: objects, unit: "objects" }));
    Ok(())
}

fn callbacks<'a>(sender: &'a Sender<Sign>, stop: &'a AtomicBool) -> RemoteCallbacks<'a> {
    let mut callbacks = RemoteCallbacks::new();
    let mut credentials = Credentials::of_user();
    callbacks.credentials(move |url, user, allowed| credentials.next(url, user, allowed));
    let mut pace = Pace(None);
    callbacks.transfer_progress(move |stats| {
        if pace.due() {
            let (done, total) = (stats.received_objects() as u64, stats.total_objects() as u64);
            // Nobody listens any more once we are to stop.
            let _ = sender.send(Some(Progress { done, total, unit: "objects" }));
        }
        !stop.load(Ordering::SeqCst)
    });
    callbacks.sideband_progress(move |_| {
        let _ = sender.send(None);
        !stop.load(Ordering::SeqCst)
    });
    callbacks
}

fn proxy() -> ProxyOptions<'static> {
    let mut options = ProxyOptions::new();
    options.auto();
    options
}

/// Opens the mirror; makes it, or what is missing of one whose making was cut short.
fn ready(mirror: &Path) -> Result<Repository, git2::Error> {
    let repository = Repository::open_bare(mirror).or_else(|_| {
        let mut options = RepositoryInitOptions::new();
        Repository::init_opts(mirror, options.bare(true).external_template(false))
    })?;
    let mut config = repository.config()?;
    // After a power loss no ref may name a commit that is not there.
    if !config.get_bool("core.fsyncObjectFiles").unwrap_or(false) {
        config.set_bool("core.fsyncObjectFiles", true)?;
    }
    Ok(repository)
}

/// Relative addresses of submodules start here, and git-lfs asks here for its files. Passwords
/// come from the credential helper then: none is stored.
fn remember(repository: &Repository, url: &str) -> Result<(), git2::Error> {
    let url = without_password(url);
    let mut config = repository.config()?;
    if config.get_string("remote.origin.url").ok().as_deref() != Some(&url) {
        config.set_str("remote.origin.url", &url)?;
    }
    Ok(())
}

/// Removes what a killed fetch leaves: its lock files would refuse every later one. Only the run
/// that holds our lock comes here, so nobody else is at work in the mirror.
fn remove_leftovers(mirror: &Path) -> io::Result<()> {
    let is_lock = |name: &str| name.ends_with(".lock");
    remove_files(mirror, false, &is_lock)?;
    remove_files(&mirror.join("refs"), true, &is_lock)?;
    remove_files(&mirror.join("objects/pack"), false, &|name| name.starts_with("pack_git2_"))
}

fn remove_files(directory: &Path, deep: bool, unwanted: &dyn Fn(&str) -> bool) -> io::Result<()> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            if deep {
                remove_files(&entry.path(), deep, unwanted)?;
            }
        } else if unwanted(&entry.file_name().to_string_lossy()) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn failed_fetch(mirror: &Path, url: &str, source: git2::Error) -> HostError {
    // libgit2 has no code for it.
    if source.message().contains("No space left on device") {
        let help = format!("free some space: `df -h {}`", mirror.display());
        return git_error(format!("cannot store what {} sent", without_password(url)), Some(help), source);
    }
    unreachable(url, source)
}

fn unreachable(url: &str, source: git2::Error) -> HostError {
    let url = without_password(url);
    if is_path(&url) && !Path::new(&url).exists() {
        let help =
            format!("correct `repository:` in the root's release.yml, or make it: `git init --bare {url}`");
        return git_error(format!("there is no repository at {url}"), Some(help), source);
    }
    let help = not_ours(&source, &url).unwrap_or_else(|| {
        let ssh = if is_ssh(&url) { " (what ~/.ssh/config says is not followed)" } else { "" };
        format!("can this user reach it? `git ls-remote {url}`{ssh}")
    });
    git_error(format!("cannot fetch from {url}"), Some(help), source)
}

fn is_path(url: &str) -> bool {
    !url.contains("://") && !is_ssh(url)
}

fn is_ssh(url: &str) -> bool {
    url.starts_with("ssh://") || (!url.contains("://") && !url.starts_with('/') && url.contains(':'))
}

/// A repository's address without the password that may stand in it.
pub fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    match authority.rsplit_once('@') {
        Some((user, host)) if user.contains(':') || scheme.starts_with("http") => {
            format!("{scheme}://{host}{path}")
        }
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        for (url, expected) in [
            ("https://ana:hunter2@example.org/shop.git", "https://example.org/shop.git"),
            ("https://ghp_token@example.org/shop.git", "https://example.org/shop.git"),
            ("ssh://git@example.org/shop.git", "ssh://git@example.org/shop.git"),
            ("git@example.org:shop.git", "git@example.org:shop.git"),
            ("/srv/git/a@b.git", "/srv/git/a@b.git"),
        ] {
            assert_eq!(without_password(url), expected);
        }
    }

    #[test]
    fn a_full_disk_is_not_the_fault_of_the_server() {
        let full = git2::Error::from_str("cannot extend packfile: No space left on device");
        let error = failed_fetch(Path::new("/srv/shop/repo"), "/srv/git/shop.git", full);
        assert_eq!(error.to_string(), "cannot store what /srv/git/shop.git sent");
        assert_eq!(error.help().unwrap(), "free some space: `df -h /srv/shop/repo`");
    }

    #[test]
    fn a_path_with_nothing_there_is_told_as_that() {
        let error = unreachable("/nowhere/shop.git", git2::Error::from_str("unsupported URL protocol"));
        assert_eq!(error.to_string(), "there is no repository at /nowhere/shop.git");
        assert!(error.help().unwrap().ends_with("`git init --bare /nowhere/shop.git`"));
    }

    #[test]
    fn help_for_ssh_says_what_is_not_followed() {
        let help = |url| unreachable(url, git2::Error::from_str("no")).help().unwrap();
        assert_eq!(help("/"), "can this user reach it? `git ls-remote /`");
        for ssh in ["git@example.org:shop.git", "ssh://git@example.org/shop.git"] {
            assert!(help(ssh).contains("~/.ssh/config"), "{ssh}");
        }
    }
}
