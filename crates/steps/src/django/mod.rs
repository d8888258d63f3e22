//! A Django project, asked in its release's own environment.

mod start;

use std::path::PathBuf;
use std::time::Duration;

use release_core::command::{Command, Exit};
use release_core::config::Django;
use release_core::run::Run;
use release_core::step::{Context, StepError, tail};
use serde::{Deserialize, Serialize};

use crate::place::in_app;
pub(crate) use start::Start;

/// Why the steps of this app's kind have nothing to do.
pub(crate) const NO_DJANGO: &str = "it is no Django app";

/// `inspect.py` prints its answer behind this, in pieces: a line of output is cut where it is too long.
const MARK: &str = "@release-inspect:";

/// What Django says of a project and its database.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Inspection {
    /// Where `collectstatic` writes.
    pub(crate) static_root: Option<String>,
    /// The real path of that.
    #[serde(default)]
    pub(crate) static_place: Option<PathBuf>,
    /// The digest of all that the collected files are made of, where that can be told.
    #[serde(default)]
    pub(crate) static_inputs: Option<String>,
    /// The real paths of its SQLite databases.
    #[serde(default)]
    pub(crate) sqlite: Vec<String>,
    /// What the database has, in the order of the migrations.
    pub(crate) applied: Vec<(String, String)>,
    /// What it lacks, in the order in which it would be applied.
    pub(crate) pending: Vec<Migration>,
    /// The errors that its checks found.
    pub(crate) checks: Vec<String>,
}

/// A migration that the database lacks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Migration {
    pub(crate) app: String,
    pub(crate) name: String,
    /// What it does, as Django describes it.
    pub(crate) operations: Vec<String>,
    /// Whether Django can take it back.
    pub(crate) reversible: bool,
}

impl Migration {
    /// Whether it is the one that `key` names.
    pub(crate) fn is(&self, key: &(String, String)) -> bool {
        (&self.app, &self.name) == (&key.0, &key.1)
    }
}

/// `orders.0002_total, catalog.0003_price`.
pub(crate) fn names<'a>(migrations: impl IntoIterator<Item = &'a Migration>) -> String {
    let names = migrations.into_iter().map(|migration| format!("{}.{}", migration.app, migration.name));
    names.collect::<Vec<_>>().join(", ")
}

/// Like [`names`], where there may be more of them than people care to read.
pub(crate) fn brief(migrations: &[Migration]) -> String {
    match migrations {
        [first, second, third, rest @ ..] if rest.len() > 2 => {
            format!("{} and {} more", names([first, second, third]), rest.len())
        }
        few => names(few),
    }
}

/// The release's Python, where `manage.py` is, with the environment of the app's services.
pub(crate) fn python(cx: &Context<'_>, django: &Django) -> Command {
    let directory = in_app(cx, &django.directory);
    Command::new(cx.run.layout.venv(cx.run.release()).join("bin/python"), &directory)
        .env(cx.run.env.clone())
        .var("PWD", directory.display().to_string())
        .isolated()
}

/// A migration may take its time: it is worse to end one half way.
const A_DAY: Duration = Duration::from_secs(24 * 3600);

/// `python manage.py …`.
pub(crate) fn manage<const N: usize>(cx: &Context<'_>, django: &Django, args: [&str; N]) -> Command {
    python(cx, django).args(["manage.py"]).args(args).limit(A_DAY)
}

fn inspector(cx: &Context<'_>, django: &Django) -> Command {
    python(cx, django).args(["-c", include_str!("inspect.py")])
}

/// Starts the project once more, and asks how it stands now.
pub(crate) fn inspect(cx: &Context<'_>, django: &Django) -> Result<Inspection, StepError> {
    let command = inspector(cx, django);
    let (mut json, mut printed) = (String::new(), Vec::new());
    let exit = cx.host.run(&command, &mut |line| match line.strip_prefix(MARK) {
        Some(piece) => json += piece,
        None => printed.push(cx.line(line)),
    })?;
    let answer = exit.success().then(|| serde_json::from_str(&json).ok()).flatten();
    answer.ok_or_else(|| failed(cx.run, exit, &printed))
}

fn failed(run: &Run, exit: Exit, printed: &[String]) -> StepError {
    let output = tail(printed);
    let says = |words: &[&str]| output.iter().any(|line| words.iter().any(|word| line.contains(word)));
    let help = if says(&["ModuleNotFoundError", "ImportError"]) {
        "a module is missing: look at the requirements files, and whether it is committed".to_owned()
    } else if says(&["OperationalError", "could not connect", "Connection refused"]) {
        format!(
            "the database does not answer: look at {}",
            run.layout.shared().join(&run.config.env_file).display()
        )
    } else if says(&["ImproperlyConfigured", "KeyError"]) {
        format!("a setting is missing: look at {}", run.layout.shared().join(&run.config.env_file).display())
    } else {
        "try it by hand, in the release's environment: `release exec -- python manage.py check`".to_owned()
    };
    StepError::Command { command: "python manage.py check".to_owned(), exit, output, help: Some(help) }
}

#[cfg(test)]
pub(crate) mod testing;
