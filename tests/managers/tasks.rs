//! Tasks for the worker of `fixtures/apps/managed`: files that it takes, and a list of what was done.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::support::wait_until;

const LIMIT: Duration = Duration::from_secs(90);

/// Somebody who adds tasks until they are stopped.
#[derive(Debug)]
pub(crate) struct Tasks {
    data: PathBuf,
    over: Arc<AtomicBool>,
    thread: JoinHandle<usize>,
}

impl Tasks {
    /// Adds a short task every few milliseconds to the site at `root`.
    pub(crate) fn start(root: &Path) -> Self {
        let data = root.join("shared/data");
        let over = Arc::new(AtomicBool::new(false));
        let (stop, tasks) = (over.clone(), data.join("tasks"));
        let thread = thread::spawn(move || {
            let mut added = 0;
            while !stop.load(Ordering::Relaxed) {
                add(&tasks, &format!("short{added}"), ".");
                added += 1;
                thread::sleep(Duration::from_millis(100));
            }
            added
        });
        Self { data, over, thread }
    }

    /// Adds a task that takes until [`Tasks::let_go`], and waits until somebody has begun it.
    pub(crate) fn hold(&self, name: &str) {
        add(&self.data.join("tasks"), name, &format!("{name}.go"));
        let todo = self.data.join(format!("tasks/{name}.todo"));
        wait_until("a worker has begun the long task", LIMIT, || !todo.exists());
    }

    /// Lets a task end.
    pub(crate) fn let_go(&self, name: &str) {
        fs::write(self.data.join(format!("tasks/{name}.go")), "").unwrap();
    }

    /// The release that did a task; `None` while nobody has.
    pub(crate) fn done_by(&self, name: &str) -> Option<String> {
        done(&self.data).remove(name).map(|mut by| by.remove(0))
    }

    /// Stops adding; fails the test unless everything was done once. Gives how many there were.
    #[track_caller]
    pub(crate) fn stop(self, long: usize) -> usize {
        self.over.store(true, Ordering::Relaxed);
        let wanted = self.thread.join().unwrap() + long;
        wait_until("all tasks are done", LIMIT, || done(&self.data).len() >= wanted);
        let twice: Vec<_> = done(&self.data).into_iter().filter(|(_, by)| by.len() > 1).collect();
        assert!(twice.is_empty(), "done more than once: {twice:?}");
        wanted
    }
}

fn add(tasks: &Path, name: &str, until: &str) {
    let new = tasks.join(format!("{name}.new"));
    fs::write(&new, until).unwrap();
    fs::rename(new, tasks.join(format!("{name}.todo"))).unwrap();
}

/// By task: the releases that did it.
fn done(data: &Path) -> BTreeMap<String, Vec<String>> {
    let mut done = BTreeMap::<String, Vec<String>>::new();
    for line in fs::read_to_string(data.join("done")).unwrap_or_default().lines() {
        if let Some((task, release)) = line.split_once(' ') {
            done.entry(task.to_owned()).or_default().push(release.to_owned());
        }
    }
    done
}
