//! The words of an RQ worker's command.

use super::base_name;

/// A `rq worker …` or `manage.py rqworker …` command, by its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rq {
    /// The `manage.py` that knows where its Redis is; `None` where its own arguments say that.
    pub project: Option<String>,
    /// What stands behind the name of the command.
    pub arguments: Vec<String>,
}

impl Rq {
    /// The worker, or the pool of them, that a command starts; `None` for any other command.
    pub fn of(words: &[String]) -> Option<Self> {
        let at = words.iter().position(|word| starts(base_name(word)))?;
        let before = at.checked_sub(1).and_then(|before| words.get(before));
        let project = before.filter(|word| is_project(base_name(word))).cloned();
        let subcommand = if base_name(&words[at]).starts_with("rqworker") { 0 } else { 1 };
        if subcommand == 1 && !words.get(at + 1)?.starts_with("worker") {
            return None;
        }
        Some(Self { project, arguments: words[at + 1 + subcommand..].to_vec() })
    }
}

/// Whether a program of this name is RQ's, or a command of `manage.py` is that of its workers.
pub(super) fn starts(name: &str) -> bool {
    matches!(name, "rq" | "rq.cli" | "rqworker" | "rqworker-pool")
}

fn is_project(name: &str) -> bool {
    name.ends_with(".py") || matches!(name, "django-admin" | "django")
}
