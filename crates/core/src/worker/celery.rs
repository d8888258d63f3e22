//! The words of a `celery` command.

use super::base_name;

/// A `celery … worker …` command, by its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Celery {
    /// What stands between `celery` and `worker`: which app, and where its broker is.
    pub global: Vec<String>,
    /// What stands behind `worker`.
    options: Vec<String>,
    /// Where `worker` stands in the command.
    at: usize,
}

/// The options before the sub-command that have a value.
const VALUED: [&str; 8] =
    ["-A", "--app", "-b", "--broker", "--result-backend", "--loader", "--config", "--workdir"];
const NAMES: [&str; 2] = ["-n", "--hostname"];

impl Celery {
    /// The worker that a command starts; `None` for any other command.
    pub fn of(words: &[String]) -> Option<Self> {
        let (celery, at) = subcommand(words)?;
        (words[at] == "worker").then(|| Self {
            global: words[celery + 1..at].to_vec(),
            options: words[at + 1..].to_vec(),
            at,
        })
    }

    /// Whether each of its tasks has a child process.
    pub fn forks(&self) -> bool {
        let pool = value(&self.options, &["-P", "--pool"]);
        pool.is_none_or(|pool| matches!(pool, "prefork" | "processes"))
    }

    /// The name of its node, with Celery's own `%h` and the like, when it runs as `program`: two
    /// generations with one name would answer each other's orders.
    pub fn node(&self, program: &str) -> String {
        let Some(name) = value(&self.options, &NAMES) else { return format!("{program}@%h") };
        if name.contains(program) {
            return name.to_owned();
        }
        let (name, host) = name.split_once('@').unwrap_or(("celery", name));
        format!("{name}-{program}@{host}")
    }

    /// The command's `words`, with the name of its node.
    pub fn named(&self, mut words: Vec<String>, program: &str) -> Vec<String> {
        let node = self.node(program);
        match position(&self.options, &NAMES) {
            None => words.splice(self.at + 1..=self.at, ["-n".to_owned(), node]),
            Some((index, width)) => {
                let start = self.at + 1 + index;
                words.splice(start..start + width, ["-n".to_owned(), node])
            }
        };
        words
    }
}

/// Whether the command ticks, alone or within a worker: two of them would enqueue each task twice.
pub fn beats(words: &[String]) -> bool {
    let Some((_, at)) = subcommand(words) else { return false };
    let ticks = |word: &String| matches!(word.as_str(), "-B" | "--beat");
    words[at] == "beat" || words[at] == "worker" && words[at + 1..].iter().any(ticks)
}

/// Whether the command leaves its processes to themselves, so that nobody could end them.
pub fn daemonizes(words: &[String]) -> bool {
    let Some((_, at)) = subcommand(words) else { return false };
    words[at] == "multi" || words[at + 1..].iter().any(|word| matches!(word.as_str(), "-D" | "--detach"))
}

/// Where `celery` and its sub-command stand.
fn subcommand(words: &[String]) -> Option<(usize, usize)> {
    let celery = words.iter().position(|word| base_name(word) == "celery")?;
    let mut at = celery + 1;
    while words.get(at)?.starts_with('-') {
        at += if VALUED.contains(&words[at].as_str()) { 2 } else { 1 };
    }
    Some((celery, at))
}

/// The value of the first of `options` that `words` have.
fn value<'a>(words: &'a [String], options: &[&str]) -> Option<&'a str> {
    let (index, width) = position(words, options)?;
    if width == 2 {
        return words.get(index + 1).map(String::as_str);
    }
    let rest = options.iter().find_map(|option| words[index].strip_prefix(option))?;
    Some(rest.strip_prefix('=').unwrap_or(rest))
}

/// Where one of `options` stands, and how many words it takes: `-n X`, `-nX`, `--hostname=X`.
fn position(words: &[String], options: &[&str]) -> Option<(usize, usize)> {
    words.iter().enumerate().find_map(|(index, word)| {
        let rest = options.iter().find_map(|option| {
            let rest = word.strip_prefix(option)?;
            (!option.starts_with("--") || rest.is_empty() || rest.starts_with('=')).then_some(rest)
        })?;
        let apart = rest.is_empty() && index + 1 < words.len();
        Some((index, if apart { 2 } else { 1 }))
    })
}
