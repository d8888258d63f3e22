//! Every path below an app's root.
//!
//! ```text
//! /srv/shop/                      root
//!   release.yml                   what differs on this server
//!   current -> releases/<id>      the active release
//!   releases/<id>/                one built release
//!     venv -> ../../cache/venv/…  its Python environment
//!     run/web-g1.sock             where a generation of `web` listens
//!     run/web.sock -> web-g1.sock the name that the proxy asks for
//!     run/127.0.0.1_8000.sock     the same, for what holds a TCP port
//!   shared/                       what outlives a release
//!   repo/                         bare mirror
//!   cache/venv/ bundle/ tool/     built once, keyed by content; may lie elsewhere, for several roots
//!     lock/ roots/                who builds what; which release of which root uses what
//!   .release/                     our own state
//!     lock  journal.jsonl  releases/<id>.json  log/<id>/<step>.log
//!     run/web.sock                where a master of no release listens
//!     spare/ spare.tree           where the next checkout begins
//!     cron/  log/cron/            what became of the entries of cron, and what they print
//!     log/service/  supervisor/   the private supervisord and what services print
//!     programs/<program>.json     what systemd or the server's supervisord runs for us
//! ```

use std::path::{Path, PathBuf};

use crate::cache_key::CacheKey;
use crate::config::Config;
use crate::host::CheckedOut;
use crate::release::{Generation, ReleaseId};

/// The longest path that a unix socket can be bound to, in bytes (`sun_path` less its NUL).
pub const SOCKET_PATH_LIMIT: usize = 107;

/// The paths below one root. All are absolute when the root is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    root: PathBuf,
    repo: PathBuf,
    cache: PathBuf,
}

impl Layout {
    /// The layout below `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        Self { repo: root.join("repo"), cache: root.join("cache"), root }
    }

    /// The same root, with revisions read from the repository at `repo`.
    pub fn reading_from(self, repo: impl Into<PathBuf>) -> Self {
        Self { repo: repo.into(), ..self }
    }

    /// The same root, with what is built once at `cache`, which other roots may use too.
    pub fn caching_in(self, cache: impl Into<PathBuf>) -> Self {
        Self { cache: cache.into(), ..self }
    }

    /// The app's deploy directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What differs on this server: `release.yml`.
    pub fn server_config(&self) -> PathBuf {
        self.root.join("release.yml")
    }

    /// The symlink to the active release.
    pub fn current(&self) -> PathBuf {
        self.root.join("current")
    }

    /// What `current` holds when `release` is active: a relative path, so that a root can move.
    pub fn current_target(&self, release: &ReleaseId) -> PathBuf {
        Path::new("releases").join(release.as_str())
    }

    /// What `current` held before our first release: the way back from that one.
    pub fn taken_over(&self) -> PathBuf {
        self.state().join("taken-over")
    }

    /// The directory of all releases.
    pub fn releases(&self) -> PathBuf {
        self.root.join("releases")
    }

    /// One built release.
    pub fn release(&self, release: &ReleaseId) -> PathBuf {
        self.releases().join(release.as_str())
    }

    /// Where a release has the app of `config`: commands start there, and its paths begin there.
    pub fn app(&self, release: &ReleaseId, config: &Config) -> PathBuf {
        inside(self.release(release), config)
    }

    /// The same of the active release, as it is reached from outside.
    pub fn current_app(&self, config: &Config) -> PathBuf {
        inside(self.current(), config)
    }

    /// The revision that a release was built from, for people and other programs.
    pub fn revision_file(&self, release: &ReleaseId) -> PathBuf {
        self.release(release).join("REVISION")
    }

    /// A release's link to its Python environment.
    pub fn venv(&self, release: &ReleaseId) -> PathBuf {
        self.release(release).join("venv")
    }

    /// Where a release's services put their sockets.
    pub fn run(&self, release: &ReleaseId) -> PathBuf {
        self.release(release).join("run")
    }

    /// Where `service` of one generation listens: its real path, bound by nobody else.
    pub fn socket(&self, generation: &Generation, service: &str) -> PathBuf {
        self.run(&generation.release).join(self.socket_name(generation, service))
    }

    /// What daphne keeps beside a socket, and leaves behind when it is killed: a process id, which
    /// may be somebody else's when it starts again.
    pub fn socket_lock(socket: &Path) -> PathBuf {
        let mut name = socket.as_os_str().to_owned();
        name.push(".lock");
        name.into()
    }

    /// The file name of [`Layout::socket`], which [`Layout::socket_link`] holds.
    pub fn socket_name(&self, generation: &Generation, service: &str) -> PathBuf {
        format!("{service}-g{}.sock", generation.number).into()
    }

    /// The name that a proxy reaches through `current`: `run/web.sock`.
    pub fn socket_link(&self, release: &ReleaseId, service: &str) -> PathBuf {
        self.run(release).join(format!("{service}.sock"))
    }

    /// The directory of the sockets as it is reached from outside: `current/run`.
    pub fn current_run(&self) -> PathBuf {
        self.current().join("run")
    }

    /// The socket as a proxy names it: `current/run/web.sock`.
    pub fn current_socket(&self, service: &str) -> PathBuf {
        self.current_run().join(format!("{service}.sock"))
    }

    /// What outlives a release.
    pub fn shared(&self) -> PathBuf {
        self.root.join("shared")
    }

    /// While it is there, the proxy answers with it and asks no app.
    pub fn maintenance_page(&self) -> PathBuf {
        self.shared().join("maintenance.html")
    }

    /// The bare mirror of the app's repository.
    pub fn repo(&self) -> PathBuf {
        self.repo.clone()
    }

    /// What is built once and used by many releases.
    pub fn cache(&self) -> PathBuf {
        self.cache.clone()
    }

    /// Where the cache is when the configuration does not say.
    pub fn own_cache(&self) -> PathBuf {
        self.root.join("cache")
    }

    /// One entry of the cache: `kind` is `venv`, `bundle` or `tool`.
    pub fn cached(&self, kind: &str, key: &str) -> PathBuf {
        self.cache.join(kind).join(key)
    }

    /// The directory of all [`Layout::cache_lock`]s.
    pub fn cache_locks(&self) -> PathBuf {
        self.cache.join("lock")
    }

    /// What is held by whoever builds the entry, in any root that shares the cache.
    pub fn cache_lock(&self, kind: &str, key: &str) -> PathBuf {
        self.cache_locks().join(format!("{kind}-{key}"))
    }

    /// What is held for a moment, to take or to remove entries.
    pub fn cache_gate(&self) -> PathBuf {
        self.cache.join("gate")
    }

    /// Every root that uses the cache, one directory each.
    pub fn cache_roots(&self) -> PathBuf {
        self.cache.join("roots")
    }

    /// What this root says in the cache: which release uses what.
    pub fn cache_registration(&self) -> PathBuf {
        let root = CacheKey::new("root", 1).with("path", self.root.as_os_str().as_encoded_bytes());
        self.cache_roots().join(root.finish())
    }

    /// Where entries go that are being removed: the cache may be on another disk than the root.
    pub fn cache_trash(&self) -> PathBuf {
        self.cache.join("trash")
    }

    /// Our own state.
    pub fn state(&self) -> PathBuf {
        self.root.join(".release")
    }

    /// The file that a run holds an flock on; never unlinked.
    pub fn lock(&self) -> PathBuf {
        self.state().join("lock")
    }

    /// The append-only record of every run.
    pub fn journal(&self) -> PathBuf {
        self.state().join("journal.jsonl")
    }

    /// The directory of all [`Layout::release_record`]s.
    pub fn release_records(&self) -> PathBuf {
        self.state().join("releases")
    }

    /// What is known of a release: its revision and its effective configuration.
    pub fn release_record(&self, release: &ReleaseId) -> PathBuf {
        self.release_records().join(format!("{release}.json"))
    }

    /// The directory of all [`Layout::draining`]s.
    pub fn draining_programs(&self) -> PathBuf {
        self.state().join("draining")
    }

    /// Since when a program has been ending, and what it was sent.
    pub fn draining(&self, program: &str) -> PathBuf {
        self.draining_programs().join(format!("{program}.json"))
    }

    /// What programs of this machine said of their versions.
    pub fn versions(&self) -> PathBuf {
        self.state().join("versions.json")
    }

    /// All that the runs of a release told, in plain lines.
    pub fn run_log(&self, release: &ReleaseId) -> PathBuf {
        self.log_dir(release).join("run.log")
    }

    /// The directory of all [`Layout::push_log`]s.
    pub fn push_logs(&self) -> PathBuf {
        self.state().join("log/push")
    }

    /// What the detached deploy of a push prints while its pusher looks on.
    pub fn push_log(&self, process: u32) -> PathBuf {
        self.push_logs().join(format!("{process}.log"))
    }

    /// Which migrations stood before a release applied its own.
    pub fn migrations_record(&self, release: &ReleaseId) -> PathBuf {
        self.state().join("releases").join(format!("{release}.migrations.json"))
    }

    /// A release as it was checked out.
    pub fn checked_out(&self, release: &ReleaseId) -> CheckedOut {
        let record = self.release_records().join(format!("{release}.tree"));
        CheckedOut { tree: self.release(release), record }
    }

    /// The tree of a release that was removed: the next checkout begins with it.
    pub fn spare(&self) -> CheckedOut {
        CheckedOut { tree: self.state().join("spare"), record: self.state().join("spare.tree") }
    }

    /// The directory of all [`Layout::assets_record`]s.
    pub fn assets_records(&self) -> PathBuf {
        self.state().join("assets")
    }

    /// Which hashed static files a release brought itself.
    pub fn assets_record(&self, release: &ReleaseId) -> PathBuf {
        self.assets_records().join(release.as_str())
    }

    /// What people do not want to be pruned: an empty file with the name of each release.
    pub fn pins(&self) -> PathBuf {
        self.state().join("pins")
    }

    /// What is known of a generation whose configuration is not that of its release: it is being
    /// restarted with another one.
    pub fn generation_record(&self, generation: &Generation) -> PathBuf {
        self.release_records().join(format!("{}-g{}.json", generation.release, generation.number))
    }

    /// The logs of one release's steps.
    pub fn log_dir(&self, release: &ReleaseId) -> PathBuf {
        self.state().join("log").join(release.as_str())
    }

    /// What one step printed.
    pub fn step_log(&self, release: &ReleaseId, step: &str) -> PathBuf {
        self.log_dir(release).join(format!("{step}.log"))
    }

    /// What `release start` prints at boot, for a generated cron entry.
    pub fn boot_log(&self) -> PathBuf {
        self.state().join("log/boot.log")
    }

    /// What is known of the entries of cron; there once the app has had one.
    pub fn cron(&self) -> PathBuf {
        self.state().join("cron")
    }

    /// The file that a run of an entry holds an flock on; never unlinked.
    pub fn cron_lock(&self, entry: &str) -> PathBuf {
        self.cron().join(format!("{entry}.lock"))
    }

    /// What became of an entry's last run.
    pub fn cron_last_run(&self, entry: &str) -> PathBuf {
        self.cron().join(format!("{entry}.json"))
    }

    /// The lines of the crontab as they were before the run that changed them last.
    pub fn cron_before(&self) -> PathBuf {
        self.cron().join("before")
    }

    /// What an entry's runs printed.
    pub fn cron_log(&self, entry: &str) -> PathBuf {
        self.state().join("log/cron").join(format!("{entry}.log"))
    }

    /// What a service of one generation prints.
    pub fn service_log(&self, program: &str) -> PathBuf {
        self.state().join("log/service").join(format!("{program}.log"))
    }

    /// The directory of all [`Layout::placed_program`]s.
    pub fn placed_programs(&self) -> PathBuf {
        self.state().join("programs")
    }

    /// What is written down of a program that another manager than the private one runs.
    pub fn placed_program(&self, program: &str) -> PathBuf {
        self.placed_programs().join(format!("{program}.json"))
    }

    /// The home of the private supervisord.
    pub fn supervisor(&self) -> PathBuf {
        self.state().join("supervisor")
    }

    /// The control socket of the private supervisord.
    pub fn supervisor_socket(&self) -> PathBuf {
        self.supervisor().join("rpc.sock")
    }

    /// What the private supervisord reads when it starts.
    pub fn supervisor_conf(&self) -> PathBuf {
        self.supervisor().join("supervisord.conf")
    }

    /// The files of the programs that it runs, one each.
    pub fn supervisor_programs(&self) -> PathBuf {
        self.supervisor().join("conf.d")
    }

    /// The process id of the private supervisord, while it runs or after it was killed.
    pub fn supervisor_pid(&self) -> PathBuf {
        self.supervisor().join("supervisord.pid")
    }

    /// What the private supervisord says of itself.
    pub fn supervisor_log(&self) -> PathBuf {
        self.supervisor().join("supervisord.log")
    }

    /// Where things go that are being removed: a rename is quick, the removal may take its time.
    pub fn trash(&self) -> PathBuf {
        self.state().join("trash")
    }
}

pub(crate) fn inside(release: PathBuf, config: &Config) -> PathBuf {
    if config.is_at_top() { release } else { release.join(&config.directory) }
}
