//! The words of an RQ worker's command.

use super::base_name;

/// A `rq worker …` or `manage.py rqworker …` command, by its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rq {
    /// The `manage.py` that knows where its Redis is; `None` where its own arguments say that.
    pub project: Option<String>,
    /// `worker` or `worker-pool`, as `rq` and Django know them: `rqworker` with a project.
    pub command: String,
    /// What stands behind that.
    pub arguments: Vec<String>,
}

impl Rq {
    /// The worker, or the pool of them, that a command starts; `None` for any other command.
    pub fn of(words: &[String]) -> Option<Self> {
        (0..words.len()).find_map(|at| Self::at(words, at))
    }

    /// The worker, if its name is the word `at`.
    fn at(words: &[String], at: usize) -> Option<Self> {
        let rest = &words[at + 1..];
        let name = base_name(&words[at]);
        if let Some(kind) = name.strip_prefix("rq").filter(|_| starts(name)).filter(|kind| is_worker(kind)) {
            let before = at.checked_sub(1).map(|before| &words[before]);
            let project = before.filter(|word| is_project(base_name(word))).cloned();
            let command = if project.is_some() { name } else { kind }.to_owned();
            return Some(Self { project, command, arguments: rest.to_vec() });
        }
        let command = rest.first().filter(|command| starts(name) && is_worker(command))?.clone();
        Some(Self { project: None, command, arguments: rest[1..].to_vec() })
    }
}

/// Whether a program of this name is RQ's, or a command of `manage.py` is that of its workers.
pub(super) fn starts(name: &str) -> bool {
    matches!(name, "rq" | "rq.cli" | "rqworker" | "rqworker-pool")
}

fn is_worker(command: &str) -> bool {
    matches!(command, "worker" | "worker-pool")
}

fn is_project(name: &str) -> bool {
    name.ends_with(".py") || matches!(name, "django-admin" | "django")
}
