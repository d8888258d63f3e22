//! Runs programs, and says all that they said when they did not end as they should.

use std::fs::{self, File};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use serde_json::Value;

/// Longer than anything here takes, on a busy machine too.
const LIMIT: Duration = Duration::from_secs(240);

/// A program that runs in a process group of its own, its output going to files.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    what: String,
    out: PathBuf,
    err: PathBuf,
}

/// Starts `command`, with its output below `directory`.
pub(crate) fn start(mut command: Command, directory: &std::path::Path) -> Running {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let [out, err] = ["out", "err"].map(|end| directory.join(format!("{number}.{end}")));
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let what = words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
    command
        .stdin(Stdio::null())
        .stdout(File::create(&out).unwrap())
        .stderr(File::create(&err).unwrap())
        .process_group(0);
    let child = command.spawn().unwrap_or_else(|error| panic!("cannot start {what}: {error}"));
    Running { child, what, out, err }
}

impl Running {
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Signals the program alone.
    pub(crate) fn signal(&self, signal: Signal) {
        // It may have ended meanwhile.
        let _ = rustix::process::kill_process(self.pid(), signal);
    }

    /// Signals the program and its children, as Ctrl-C on a terminal does.
    pub(crate) fn signal_group(&self, signal: Signal) {
        let _ = rustix::process::kill_process_group(self.pid(), signal);
    }

    pub(crate) fn is_over(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// What it has written to standard output so far.
    pub(crate) fn output(&self) -> String {
        fs::read_to_string(&self.out).unwrap_or_default()
    }

    /// What it has written to standard error so far.
    pub(crate) fn errors(&self) -> String {
        fs::read_to_string(&self.err).unwrap_or_default()
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn finish(mut self) -> Finished {
        let deadline = Instant::now() + LIMIT;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            let (out, err) = (self.output(), self.errors());
            assert!(Instant::now() < deadline, "`{}` does not end\n{out}\n{err}", self.what);
            std::thread::sleep(Duration::from_millis(2));
        };
        Finished { what: self.what.clone(), status, out: self.output(), err: self.errors() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.is_over() {
            self.signal_group(Signal::KILL);
            let _ = self.child.wait();
        }
    }
}

/// A program that has ended.
#[derive(Debug)]
pub(crate) struct Finished {
    what: String,
    status: ExitStatus,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Finished {
    /// The exit code; `None` when a signal ended it.
    pub(crate) fn code(&self) -> Option<i32> {
        self.status.code()
    }

    pub(crate) fn was_killed(&self) -> bool {
        self.status.signal() == Some(Signal::KILL.as_raw())
    }

    /// Fails the test unless it ended with `code`.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code(), Some(code), "{self}");
        self
    }

    /// Fails the test unless `text` stands somewhere in its output.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.out.contains(text) || self.err.contains(text), "`{text}` is not said by {self}");
        self
    }

    /// The last line of its output, as JSON of version 1.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        let events = self.events();
        events.last().unwrap_or_else(|| panic!("no JSON from {self}")).clone()
    }

    /// Every line of its output, as JSON of version 1.
    #[track_caller]
    pub(crate) fn events(&self) -> Vec<Value> {
        let parse = |line: &str| -> Value {
            let value: Value =
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in `{line}` of {self}"));
            assert_eq!(value["version"], 1, "{line}");
            value
        };
        self.out.lines().map(parse).collect()
    }

    /// Whether the step `id` built something, rather than take it from the cache.
    #[track_caller]
    pub(crate) fn built(&self, id: &str) -> bool {
        let ended = |event: &Value| event["event"] == "step_ended" && event["step"] == id;
        let event = self.events().into_iter().find(ended).unwrap_or_else(|| panic!("no step {id} in {self}"));
        let cached = event["why"].as_str().is_some_and(|why| why.contains("cache"));
        event["end"] == "done" && !cached
    }
}

impl std::fmt::Display for Finished {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` ({})\n--- out\n{}--- err\n{}---", self.what, self.status, self.out, self.err)
    }
}
