//! A tiny project that is deployed without services: only what is built counts.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::{Finished, Journal, Sandbox, git};

/// Prints which six an environment has.
pub(crate) const SIX: &str = "import six; print(six.__version__)";

/// Where the projects are.
pub(crate) const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/builders");

/// A project of one builder, in a repository of its own.
pub(crate) struct Project {
    pub(crate) sandbox: Sandbox,
    name: &'static str,
    work: PathBuf,
}

impl Project {
    /// The project `projects/NAME`, committed; `more` goes into the root's release.yml.
    pub(crate) fn new(name: &'static str, more: &str) -> Self {
        let sandbox = Sandbox::new();
        let work = sandbox.directory().join("app");
        fs::create_dir(&work).unwrap();
        let text = format!("app: hello\nrepository: {}\n{more}", work.display());
        fs::write(sandbox.root.join("release.yml"), text).unwrap();
        let project = Self { sandbox, name, work };
        project.git(&["init", "-q", "-b", "main"]);
        project.take("projects");
        project
    }

    /// Commits the files that a newer lock changes.
    pub(crate) fn bump(&self) {
        self.take("bumped");
    }

    /// Puts a file there, for the next commit.
    pub(crate) fn put(&self, file: &str, contents: &[u8]) {
        fs::write(self.work.join(file), contents).unwrap();
    }

    /// Commits a file.
    pub(crate) fn commit(&self, file: &str, text: &str) {
        self.put(file, text.as_bytes());
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", file]);
    }

    fn take(&self, from: &str) {
        let from = Path::new(HERE).join(from).join(self.name).join(".");
        let copied = Command::new("cp").arg("-r").args([from, self.work.clone()]).status().unwrap();
        assert!(copied.success());
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", "files"]);
    }

    fn git(&self, words: &[&str]) {
        let done = git(&self.work).args(words).output().unwrap();
        assert!(done.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&done.stderr));
    }

    /// Deploys the newest commit.
    #[track_caller]
    pub(crate) fn deploy(&self) -> Finished {
        self.sandbox.release(&["deploy", "--json"]).exits(0)
    }

    /// Runs `release` with these variables in the shell.
    #[track_caller]
    pub(crate) fn release_with(&self, variables: &[(&str, &str)], words: &[&str]) -> Finished {
        let mut command = self.sandbox.command(words);
        command.envs(variables.iter().copied());
        self.sandbox.run(command).finish()
    }

    /// Writes the app's variables, as the server keeps them.
    pub(crate) fn variables(&self, text: &str) {
        fs::write(self.sandbox.root.join("shared/.env"), text).unwrap();
    }

    /// What `release plan` says of a step: state and reason.
    #[track_caller]
    pub(crate) fn plan(&self, step: &str) -> (String, String) {
        let plan = self.sandbox.facts(&["plan"]);
        let found = plan["steps"].as_array().unwrap().iter().find(|found| found["step"] == step).unwrap();
        let text = |key: &str| found[key].as_str().unwrap().to_owned();
        (text("state"), text("why"))
    }

    /// Kills a deploy while `step` runs `program`, and everything that it started.
    #[track_caller]
    pub(crate) fn kill_in(&self, step: &str, begun: impl Fn(&Path) -> bool) {
        let journal = Journal::from_now(&self.sandbox.root);
        let mut run = self.sandbox.start(&["deploy"]);
        assert!(journal.wait_for_step(step, &mut run), "the deploy ended: {}", run.errors());
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(120);
        while !begun(&self.sandbox.root) {
            assert!(
                !run.is_over() && std::time::Instant::now() < deadline,
                "it never began: {}",
                run.errors()
            );
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        run.signal(rustix::process::Signal::KILL);
        assert!(run.finish().was_killed());
    }

    /// What the active release's Python prints.
    #[track_caller]
    pub(crate) fn python(&self, code: &str) -> String {
        let python = self.sandbox.root.join("current/venv/bin/python");
        let done = Command::new(python).args(["-c", code]).current_dir("/").output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    }

    /// Whether the active release's Python finds a module.
    #[track_caller]
    pub(crate) fn has(&self, module: &str) -> bool {
        self.python(&format!("import importlib.util as u; print(u.find_spec('{module}') is not None)"))
            == "True"
    }

    /// A file of the active release.
    #[track_caller]
    pub(crate) fn text(&self, file: &str) -> String {
        fs::read_to_string(self.sandbox.root.join("current").join(file)).unwrap()
    }
}

/// Whether what takes long is to be tried too.
pub(crate) fn all(what: &str) -> bool {
    let all = std::env::var_os("RELEASE_TEST_ALL").is_some();
    if !all {
        println!("{what} is tried with RELEASE_TEST_ALL=1");
    }
    all
}

/// The seconds that a deploy took, for the output of a run.
pub(crate) fn seconds(deploy: &Finished) -> f64 {
    deploy.json().get("seconds").and_then(Value::as_f64).unwrap()
}
