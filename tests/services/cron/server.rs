//! A server whose users' crontabs are its own: every command runs in a mount namespace where
//! another directory lies over that of the machine.

use std::cell::Cell;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::support::processes::{self, Process};
use crate::support::{Finished, Running, git, start, wait_until};

const LIMIT: Duration = Duration::from_secs(60);

/// What an entry runs: it tells who, from which revision, where and with what.
const JOB: &str = "\
echo \"$1 $(cat revision) $(pwd -P) $GREETING\" >>\"$RELEASE_ROOT/shared/ran\"
echo \"told by $1\"
case $1 in
fail) echo \"the password is $DB_PASSWORD\"; exit 7 ;;
wait) while [ -e \"$RELEASE_ROOT/shared/wait\" ]; do sleep 0.05; done; echo over ;;
esac
";

/// Ends its caller before or after the true `crontab` has written, if a file says so.
const SHIM: &str = "\
#!/bin/sh
[ \"$1\" = - ] && [ -e \"$SHIM/before\" ] && rm \"$SHIM/before\" && kill -9 $PPID && exit 1
/usr/bin/crontab \"$@\"; code=$?
[ \"$1\" = - ] && [ -e \"$SHIM/after\" ] && rm \"$SHIM/after\" && kill -9 $PPID
exit $code
";

/// A root and its repository; whatever runs of it ends with it.
pub(super) struct Server {
    pub(super) root: PathBuf,
    revisions: Cell<usize>,
    directory: TempDir,
}

impl Server {
    pub(super) fn new() -> Self {
        let spool = Path::new("/var/spool/cron/crontabs");
        assert!(spool.is_dir(), "these tests need cron: `sudo apt-get install cron`");
        let directory = tempfile::Builder::new().prefix("rc-").rand_bytes(4).tempdir_in("/tmp").unwrap();
        let at = |part: &str| directory.path().join(part);
        for part in ["srv/shared", "work", "out", "spool", "shim"] {
            fs::create_dir_all(at(part)).unwrap();
        }
        fs::write(at("shim/crontab"), SHIM).unwrap();
        fs::set_permissions(at("shim/crontab"), fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(at("work/job.sh"), JOB).unwrap();
        fs::write(at("srv/shared/.env"), "GREETING=hello\nDB_PASSWORD=hunter2hunter2\n").unwrap();
        let root = at("srv");
        let server = Self { root, revisions: Cell::new(0), directory };
        server.in_repository(&["init", "-q", "-b", "main"]);
        server
    }

    pub(super) fn at(&self, part: &str) -> PathBuf {
        self.directory.path().join(part)
    }

    fn in_repository(&self, words: &[&str]) {
        let done = git(&self.at("work")).args(words).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    /// A new revision with these entries of cron; the server's own file says `more`.
    pub(super) fn commit(&self, cron: &str, more: &str) {
        self.revisions.set(self.revisions.get() + 1);
        fs::write(self.at("work/release.yml"), format!("app: tiny\nkeep: 2\ncron:\n{cron}")).unwrap();
        fs::write(self.at("work/revision"), self.revisions.get().to_string()).unwrap();
        self.in_repository(&["add", "."]);
        self.in_repository(&["commit", "-qm", "Next"]);
        let repository = self.at("work");
        fs::write(self.root.join("release.yml"), format!("repository: {}\n{more}", repository.display()))
            .unwrap();
    }

    /// `words`, in a namespace with crontabs of its own.
    pub(super) fn inside(&self, words: &[&str]) -> Command {
        let mut command = Command::new("unshare");
        if !rustix::process::geteuid().is_root() {
            command.arg("--map-root-user");
        }
        let script = "mount --bind \"$0\" /var/spool/cron/crontabs && exec \"$@\"";
        command.args(["--mount", "sh", "-c", script]).arg(self.at("spool")).args(words).current_dir("/");
        command
    }

    pub(super) fn run(&self, command: Command) -> Running {
        start(command, &self.at("out"))
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = self.inside(&[&[env!("CARGO_BIN_EXE_release")], words].concat());
        let path = format!("{}:{}", self.at("shim").display(), std::env::var("PATH").unwrap());
        command.env("RELEASE_ROOT", &self.root).env("SHIM", self.at("shim")).env("PATH", path);
        command
    }

    pub(super) fn start(&self, words: &[&str]) -> Running {
        self.run(self.command(words))
    }

    pub(super) fn release(&self, words: &[&str]) -> Finished {
        self.start(words).finish()
    }

    /// The same, where `crontab` is not installed.
    pub(super) fn release_without_cron(&self, words: &[&str]) -> Finished {
        let mut command = self.command(words);
        // `sh` and `mount`, but nothing else.
        let bare = self.at("bare");
        fs::create_dir_all(&bare).unwrap();
        for program in ["sh", "mount", "unshare", "git", "python3"] {
            let _ = std::os::unix::fs::symlink(format!("/usr/bin/{program}"), bare.join(program));
        }
        command.env("PATH", bare);
        self.run(command).finish()
    }

    /// Ends `release` by kill -9 right `when` it has written the crontab: `before` or `after` that.
    pub(super) fn kill_at_crontab(&self, when: &str, words: &[&str]) {
        fs::write(self.at("shim").join(when), "").unwrap();
        let killed = self.release(words);
        assert!(killed.was_killed(), "{killed}");
    }

    /// Exactly as cron starts a line.
    pub(super) fn start_line(&self, line: &str) -> Running {
        let after = if line.starts_with('@') { 1 } else { 5 };
        let command = line.splitn(after + 1, ' ').last().unwrap().replace("\\%", "%");
        let mut shell = self.inside(&["/bin/sh", "-c", &command]);
        let bare = [("HOME", "/"), ("LOGNAME", "root"), ("SHELL", "/bin/sh"), ("PATH", "/usr/bin:/bin")];
        shell.env_clear().envs(bare);
        self.run(shell)
    }

    pub(super) fn run_line(&self, line: &str) -> Finished {
        self.start_line(line).finish()
    }

    /// All of the user's crontab.
    pub(super) fn crontab(&self) -> Vec<u8> {
        self.inside(&["crontab", "-l"]).output().unwrap().stdout
    }

    pub(super) fn set_crontab(&self, text: &[u8]) {
        let file = self.at("crontab");
        fs::write(&file, text).unwrap();
        let done = self.inside(&["crontab", file.to_str().unwrap()]).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    /// The line of the crontab that runs `entry`.
    #[track_caller]
    pub(super) fn line(&self, entry: &str) -> String {
        let crontab = String::from_utf8_lossy(&self.crontab()).into_owned();
        let mark = format!(" cron run {entry} ");
        let lines: Vec<&str> = crontab.lines().filter(|line| line.contains(&mark)).collect();
        assert_eq!(lines.len(), 1, "{entry} in\n{crontab}");
        lines[0].to_owned()
    }

    /// What the entries told: name, revision, directory, greeting.
    pub(super) fn ran(&self) -> Vec<Vec<String>> {
        let text = fs::read_to_string(self.root.join("shared/ran")).unwrap_or_default();
        text.lines().map(|line| line.split(' ').map(str::to_owned).collect()).collect()
    }

    pub(super) fn log(&self, entry: &str) -> String {
        fs::read_to_string(self.root.join(format!(".release/log/cron/{entry}.log"))).unwrap_or_default()
    }

    /// The entry `wait` runs until [`Server::let_go`].
    pub(super) fn hold(&self) {
        fs::write(self.root.join("shared/wait"), "").unwrap();
    }

    pub(super) fn let_go(&self) {
        fs::remove_file(self.root.join("shared/wait")).unwrap();
    }

    /// The real directory of the active release.
    pub(super) fn current(&self) -> String {
        fs::canonicalize(self.root.join("current")).unwrap().display().to_string()
    }

    /// Processes of the entries and of `release`.
    pub(super) fn processes(&self, part: &str) -> Vec<Process> {
        let of_root = processes::of(&self.root).into_iter();
        of_root.filter(|process| process.command.contains(part)).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A test that failed has not ended what it started.
        let _ = fs::remove_file(self.root.join("shared/wait"));
        processes::of(self.directory.path()).iter().for_each(Process::kill);
        wait_until("all has ended", LIMIT, || processes::of(self.directory.path()).is_empty());
    }
}
