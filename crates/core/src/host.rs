//! The one door to the machine: rules and steps reach files, processes, git and the clock only
//! through these traits. `release-host` is the real machine, `release-testkit` a fake one.

use std::any::Any;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::command::{Command, Exit};
use crate::config::{Manager, Resource};
use crate::cron::Timer;
use crate::event::Progress;
use crate::proof::ProcessFiles;
use crate::revision::Revision;
use crate::run::RunId;
use crate::service::{Program, ProgramState};

/// Why the machine did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// A file operation failed.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried, as it reads after "cannot".
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A program could not be started.
    #[error("cannot start `{program}`")]
    Spawn {
        /// As it was to be called.
        program: String,
        /// What the system said.
        source: io::Error,
    },
    /// A deadline passed.
    #[error("{what} took longer than {} s", limit.as_secs())]
    TimedOut {
        /// What was waited for.
        what: String,
        /// How long.
        limit: Duration,
    },
    /// The run was asked to stop.
    #[error("interrupted by {0}")]
    Interrupted(String),
    /// git could not do it.
    #[error("{what}")]
    Git {
        /// What was tried, and with which repository.
        what: String,
        /// What to do about it.
        help: Option<String>,
        /// What git said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The process manager could not do it.
    #[error("the process manager {what}")]
    Services {
        /// What went wrong, as it reads after "the process manager".
        what: String,
        /// What to do about it.
        help: Option<String>,
        /// The cause, where there is one.
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// A process could not be given what its service asks for.
    #[error("cannot {what}")]
    Setting {
        /// What was tried, as it reads after "cannot".
        what: String,
        /// What to do about it.
        help: Option<String>,
        /// What the system said.
        source: io::Error,
    },
    /// The user's crontab could not be read or written.
    #[error("the crontab cannot be {what}")]
    Crontab {
        /// What was tried and why it failed, as it reads after "cannot be".
        what: String,
        /// What to do about it.
        help: String,
    },
    /// An HTTP request was not answered.
    #[error("no answer from {address}")]
    NoAnswer {
        /// Who was asked.
        address: String,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl HostError {
    /// What to do about it, where that is known.
    pub fn help(&self) -> Option<String> {
        match self {
            HostError::Git { help, .. }
            | HostError::Services { help, .. }
            | HostError::Setting { help, .. } => help.clone(),
            HostError::Crontab { help, .. } => Some(help.clone()),
            HostError::Io { source, path, .. } => match source.kind() {
                // The file itself may not be there yet.
                io::ErrorKind::StorageFull => {
                    let place = path.parent().unwrap_or(path).display();
                    Some(format!("free some space or inodes: `df -h {place}; df -i {place}`"))
                }
                io::ErrorKind::InvalidData => Some(format!(
                    "if a newer `release` wrote it, use that one; else mend it: `less {}`",
                    path.display()
                )),
                io::ErrorKind::ReadOnlyFilesystem => {
                    Some(format!("make it writable: `findmnt -T {}` says how it is mounted", path.display()))
                }
                io::ErrorKind::PermissionDenied => Some(format!(
                    "is this the user who deploys? look at who may: `ls -ld {}`",
                    path.display()
                )),
                _ => None,
            },
            HostError::Spawn { program, source } if source.kind() == io::ErrorKind::NotFound => {
                Some(format!("install it, or put it on PATH: `command -v {program}`"))
            }
            _ => None,
        }
    }
}

/// A short name for what every door answers.
pub type HostResult<T> = Result<T, HostError>;

/// What stands at a path; links are not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symlink.
    Link,
    /// A socket, a device, a fifo.
    Other,
}

/// What is free on a file system for this user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Bytes.
    pub bytes: u64,
    /// Inodes; `u64::MAX` on a file system that does not count them.
    pub inodes: u64,
}

/// Files, directories and links.
pub trait Files {
    /// The contents of a file; `None` when nothing is there.
    fn read(&self, path: &Path) -> HostResult<Option<Vec<u8>>>;
    /// Replaces a file atomically: written beside it, synced, renamed. Makes its directory.
    fn write(&self, path: &Path, contents: &[u8], mode: u32) -> HostResult<()>;
    /// Makes a directory and its parents; fine when it exists.
    fn make_dir(&self, path: &Path) -> HostResult<()>;
    /// What stands at `path` itself; `None` when nothing does.
    fn kind(&self, path: &Path) -> HostResult<Option<Kind>>;
    /// What a symlink holds; `None` when `path` is absent or no link.
    fn read_link(&self, path: &Path) -> HostResult<Option<PathBuf>>;
    /// `path` with every link followed; `None` when it leads nowhere.
    fn resolve(&self, path: &Path) -> HostResult<Option<PathBuf>>;
    /// Points `link` at `target` in one rename(2) and syncs its directory. Refuses to replace
    /// what is no link. Makes its directory.
    fn replace_link(&self, link: &Path, target: &Path) -> HostResult<()>;
    /// The entries of a directory, sorted; none when it is absent.
    fn list(&self, directory: &Path) -> HostResult<Vec<PathBuf>>;
    /// Renames within one file system. Makes the directory of `to`.
    fn rename(&self, from: &Path, to: &Path) -> HostResult<()>;
    /// Removes a file, a link or a whole tree; fine when it is absent. Links are not followed.
    fn remove(&self, path: &Path) -> HostResult<()>;
    /// Copies a tree to a place that does not exist yet, keeping modes and links.
    fn copy_tree(&self, from: &Path, to: &Path, progress: &dyn Fn(Progress)) -> HostResult<()>;
    /// Gives a file a second name, by a hard link where that can be, else by a copy. Makes the
    /// directory of `to`, where nothing stands yet.
    fn link_file(&self, from: &Path, to: &Path) -> HostResult<()>;
    /// Writes everything on the file system of `path` to the disk.
    fn sync(&self, path: &Path) -> HostResult<()>;
    /// The bytes that a tree takes on the disk; 0 when it is absent. Links are not followed.
    fn size(&self, path: &Path) -> HostResult<u64>;
    /// What is free where `path` (or its nearest existing parent) is.
    fn space(&self, path: &Path) -> HostResult<Space>;
    /// Whether this user may write in the directory `path` (or its nearest existing parent).
    fn is_writable(&self, path: &Path) -> HostResult<bool>;
}

/// Other programs.
pub trait Processes {
    /// Runs a command to its end in a process group of its own, and gives each line that it
    /// prints (a `\r` ends one too). At the limit, or when the run is interrupted, the whole
    /// group is ended.
    fn run(&self, command: &Command, line: &mut dyn FnMut(&str)) -> HostResult<Exit>;
    /// Runs a command that only tells a fact, such as `node --version`, and gives its lines. What
    /// was told once is not asked again.
    fn inquire(&self, command: &Command) -> HostResult<(Exit, Vec<String>)>;
    /// The path of `program` as `PATH` finds it.
    fn find_program(&self, program: &str) -> Option<PathBuf>;
    /// Ends every process that `run` started and left behind (its environment names the run),
    /// and says how many there were.
    fn end_left_behind(&self, run: &RunId) -> HostResult<usize>;
    /// The processes that process `pid` started itself and that still run, by id.
    fn children(&self, pid: u32) -> HostResult<Vec<u32>>;
    /// How long process `pid` has been running; `None` if it is gone.
    fn age(&self, pid: u32) -> HostResult<Option<Duration>>;
    /// The processors that this process may use: by its affinity, and the quota of its control group.
    fn cores(&self) -> usize;
    /// The processes that run from below `directory`: by executable, working directory, mapped or
    /// open file, or the Python environment that their variables name.
    fn using(&self, directory: &Path) -> HostResult<Vec<u32>>;
    /// Sends a signal, such as `HUP`, to a process; fine when it is gone.
    fn signal(&self, pid: u32, signal: &str) -> HostResult<()>;
    /// The processes of a program and what they use: the one with the id `pid`, all that it
    /// started, and whatever carries the program's name in its environment.
    fn family(&self, program: &str, pid: Option<u32>) -> HostResult<Vec<ProcessFiles>>;
}

/// A user of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// Its number; 0 is root.
    pub uid: u32,
    /// The number of its own group.
    pub gid: u32,
    /// Its home.
    pub home: PathBuf,
    /// Its shell.
    pub shell: PathBuf,
}

/// Users and groups, and what they may do.
pub trait Accounts {
    /// The user of that name.
    fn user(&self, name: &str) -> HostResult<Option<Account>>;
    /// The number of the group of that name.
    fn group(&self, name: &str) -> HostResult<Option<u32>>;
    /// As whom this process acts.
    fn own_uid(&self) -> u32;
    /// Up to where this process may raise what the kernel limits; `None` without an end.
    fn hard_limit(&self, resource: Resource) -> Option<u64>;
    /// Whether `user` may read what is at `path`, with all of its groups; asked by root only.
    fn may_read(&self, user: &Account, path: &Path) -> HostResult<bool>;
    /// Makes `user` the owner of a directory, but of nothing in it.
    fn give(&self, directory: &Path, user: &Account) -> HostResult<()>;
}

/// The app's repository and our mirror of it.
pub trait Git {
    /// Brings the bare mirror up to date with every branch and tag of `url`; makes it if need be.
    fn fetch(&self, mirror: &Path, url: &str, progress: &dyn Fn(Progress)) -> HostResult<()>;
    /// The commit that a full sha, an unambiguous short sha, a branch or a tag names.
    fn find(&self, repository: &Path, name: &str) -> Result<Revision, FindError>;
    /// The contents of a file of `revision`; `None` when there is none at `path`.
    fn file(&self, repository: &Path, revision: &Revision, path: &str) -> HostResult<Option<Vec<u8>>>;
    /// The id of the tree or blob at `path` of `revision`: equal ids are equal contents.
    fn content_id(&self, repository: &Path, revision: &Revision, path: &str) -> HostResult<Option<String>>;
    /// The names in a directory of `revision` (`""` is the top); none when there is no such directory.
    fn names(&self, repository: &Path, revision: &Revision, path: &str) -> HostResult<Vec<String>>;
    /// The paths at which two revisions differ.
    fn changes(&self, repository: &Path, from: &Revision, to: &Revision) -> HostResult<Vec<PathBuf>>;
    /// Writes the tree of `revision` into a new directory. It starts from `spare` where there is
    /// one, which is gone then: only files that nobody touched since they were checked out stay.
    /// What is missing still shares its blocks with those of `like`, where the file system can.
    fn checkout(
        &self,
        repository: &Path,
        revision: &Revision,
        into: &CheckedOut,
        spare: &CheckedOut,
        like: Option<&CheckedOut>,
        progress: &dyn Fn(Progress),
    ) -> HostResult<Written>;
    /// Puts together the packs that many fetches left; quick where there are few.
    fn tidy(&self, mirror: &Path) -> HostResult<()>;
    /// Removes from a tree whatever was not checked out.
    fn strip(&self, tree: &CheckedOut) -> HostResult<()>;
    /// The first line of a commit's message.
    fn subject(&self, repository: &Path, revision: &Revision) -> HostResult<String>;
}

/// A tree that was checked out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedOut {
    /// Its directory.
    pub tree: PathBuf,
    /// The file that tells how everything in it was when its checkout ended.
    pub record: PathBuf,
}

/// What a checkout did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// The files and links of the revision.
    pub files: usize,
    /// How many of them were there already, in the spare tree.
    pub taken: usize,
    /// How many share their blocks with those of a tree that is like it.
    pub cloned: usize,
}

/// Why a name leads to no commit.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// Nothing has that name.
    #[error("`{0}` names no branch, tag or commit of the repository")]
    Unknown(String),
    /// More than one commit begins like that.
    #[error("`{name}` is ambiguous: it could be {}", candidates.join(", "))]
    Ambiguous {
        /// As it was given.
        name: String,
        /// What it could mean.
        candidates: Vec<String>,
    },
    /// The repository could not be read.
    #[error(transparent)]
    Host(#[from] HostError),
}

/// Where an HTTP server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A unix socket; requests carry `Host: localhost`.
    Socket(PathBuf),
    /// A unix socket where the uwsgi protocol is spoken; `Host: localhost`.
    Uwsgi(PathBuf),
    /// `host:port`, and the `Host` header to send.
    Tcp {
        /// Host and port to connect to.
        address: String,
        /// The `Host` header.
        host: String,
    },
}

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The beginning of the body, at most 4 KiB.
    pub body: String,
}

/// Who is connected to a unix socket, from `/proc/net/unix`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SocketUse {
    /// Somebody listens there.
    pub listening: bool,
    /// Connections that nobody has accepted yet.
    pub queued: usize,
    /// Connections that are open.
    pub open: usize,
}

impl SocketUse {
    /// Nobody is connected, nor waits to be.
    pub fn quiet(&self) -> bool {
        self.queued == 0 && self.open == 0
    }
}

/// Sockets and HTTP.
pub trait Network {
    /// One GET request on a connection of its own.
    fn get(
        &self,
        address: &Address,
        path: &str,
        headers: &[(String, String)],
        limit: Duration,
    ) -> HostResult<Reply>;
    /// Several equal GET requests at once; the replies that came.
    fn get_many(
        &self,
        address: &Address,
        path: &str,
        headers: &[(String, String)],
        limit: Duration,
        count: usize,
    ) -> Vec<HostResult<Reply>>;
    /// Why nobody can begin to listen on a TCP address, as the system says it; `None` if one can.
    fn listen_problem(&self, address: SocketAddr) -> HostResult<Option<String>>;
    /// Who is connected to `socket`, by the path that it was bound to.
    fn socket_use(&self, socket: &Path) -> HostResult<SocketUse>;
}

/// Process managers that users trust: a private supervisord, systemd, the server's supervisord.
///
/// Each program names the one that is to run it. Where programs are named alone, it is the one that
/// was told to run them, whatever the configuration says by now.
pub trait Services {
    /// Why this manager cannot run anything for this user; fine when it can.
    fn check_manager(&self, manager: &Manager) -> HostResult<()>;
    /// Starts a manager of ours that should run and does not, with all programs that are to start
    /// by themselves.
    fn ensure_manager(&self) -> HostResult<()>;
    /// Adds programs and starts them, and the manager first if it is ours and does not run; those
    /// that already run are left alone.
    fn start(&self, programs: &[Program]) -> HostResult<()>;
    /// Asks programs to end, one after the other, without waiting for it; they are not started again. Fine when unknown.
    fn begin_stop(&self, programs: &[String]) -> HostResult<()>;
    /// Stops programs, each with its own signals and patience, and forgets them; fine when unknown.
    fn stop(&self, programs: &[String]) -> HostResult<()>;
    /// Every program that a manager knows for us; none of one that does not run.
    fn states(&self) -> HostResult<Vec<ProgramState>>;
    /// Every program that is written down, whether its manager runs or not.
    fn known_programs(&self) -> HostResult<Vec<String>>;
    /// Stops every program, what starts last first, and the manager if it is ours; the programs stay known for its next start.
    fn stop_manager(&self) -> HostResult<()>;
}

/// The crontab of the user who deploys.
pub trait Crontab {
    /// All of it, byte for byte; nothing when there is none.
    fn crontab(&self) -> HostResult<Vec<u8>>;
    /// Makes it what `change` makes of it. No other `release` changes it meanwhile; it is not
    /// written when nothing changes.
    fn change_crontab(&self, change: &dyn Fn(&[u8]) -> Vec<u8>) -> HostResult<()>;
    /// Whether anything reads crontabs here; `None` where this user may not see what runs.
    fn cron_runs(&self) -> HostResult<Option<bool>>;
}

/// The timers of systemd that start the entries of this root.
pub trait Timers {
    /// Those that are there, enabled and waiting, by name; none where there is no systemd.
    fn timers(&self) -> HostResult<Vec<Timer>>;
    /// Makes these the only ones. What an entry runs goes on when its timer goes. systemd reads its
    /// files again only if one has changed.
    fn set_timers(&self, timers: &[Timer]) -> HostResult<()>;
}

/// Time.
pub trait Clock {
    /// Now, for people and names.
    fn now(&self) -> Timestamp;
    /// Time since some fixed moment, for measuring.
    fn elapsed(&self) -> Duration;
    /// Waits; an error when the run is interrupted meanwhile.
    fn pause(&self, duration: Duration) -> HostResult<()>;
    /// From now on interruptions are ignored: what runs must come to its end.
    fn ignore_interruptions(&self);
}

/// A lock that is held until this is dropped.
pub struct Held {
    /// The run that was killed while it held the lock, if the last one was.
    pub killed: Option<RunId>,
    _guard: Box<dyn Any + Send>,
}

impl Held {
    /// What `guard` gives back when it is dropped.
    pub fn new(killed: Option<RunId>, guard: impl Any + Send) -> Self {
        Self { killed, _guard: Box::new(guard) }
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").field("killed", &self.killed).finish_non_exhaustive()
    }
}

/// Who holds a lock, for those who wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The run.
    pub run: RunId,
    /// What it does, as it reads after "waiting for": `/srv/shop, which builds a venv`.
    pub what: String,
}

/// Locks between the runs of several roots. The kernel gives them back, however a run ends.
pub trait Locks {
    /// Waits for the lock at `path` and holds it; `waiting` hears of each other holder once.
    fn hold(&self, path: &Path, holder: &Holder, waiting: &dyn Fn(&str)) -> HostResult<Held>;
    /// Holds the lock at `path` if nobody else does.
    fn try_hold(&self, path: &Path, holder: &Holder) -> HostResult<Option<Held>>;
}

/// Everything outside.
pub trait Host:
    Files + Processes + Accounts + Git + Network + Services + Crontab + Timers + Locks + Clock + Send + Sync
{
}

impl<
    T: Files + Processes + Accounts + Git + Network + Services + Crontab + Timers + Locks + Clock + Send + Sync,
> Host for T
{
}
