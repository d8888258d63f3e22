//! What a revision installs its packages from: a lock file, requirement files, or itself.

use release_core::config::{Installer, Python};
use release_core::pyproject::Pyproject;
use release_core::step::{Context, StepError};

use crate::place::tracked;

/// What the packages are installed from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// Requirement files, in this order.
    Requirements(Vec<String>),
    /// `uv.lock`.
    Uv,
    /// `poetry.lock`.
    Poetry,
    /// `Pipfile.lock`.
    Pipenv,
    /// `pylock.toml`.
    PyLock,
    /// The project is itself a package.
    Package,
    /// Nothing but `python.packages`.
    PackagesOnly,
}

const USUAL: &str = "requirements.txt";
const LOCKS: [(&str, Source, &str); 4] = [
    ("uv.lock", Source::Uv, "uv"),
    ("poetry.lock", Source::Poetry, "poetry"),
    ("Pipfile.lock", Source::Pipenv, "pipenv"),
    ("pylock.toml", Source::PyLock, "pip"),
];

impl Source {
    /// What release.yml names, or what the revision shows; `None` when there is nothing to install.
    pub(super) fn find(cx: &Context<'_>) -> Result<Option<Self>, StepError> {
        let python = &cx.run.config.python;
        let source = match &python.requirements {
            Some(files) => (!files.is_empty()).then(|| Source::Requirements(files.clone())),
            None => detect(cx, python.installer)?,
        };
        let source = source.or((!python.packages.is_empty()).then_some(Source::PackagesOnly));
        if let Some(source) = &source {
            source.check(python)?;
        } else if cx.run.config.django.is_some() && python.requirements.is_none() {
            return Err(StepError::Refused {
                what: format!("there is no lock file and no {USUAL} to install Django from"),
                help: "name the files: `python: {requirements: [requirements/production.txt]}`".to_owned(),
            });
        }
        Ok(source)
    }

    /// The lock file, if it is one.
    pub(super) fn lock(&self) -> Option<&'static str> {
        LOCKS.iter().find(|(_, source, _)| source == self).map(|(file, _, _)| *file)
    }

    /// As people know it.
    pub(super) fn name(&self) -> String {
        match self {
            Source::Requirements(files) => files.join(", "),
            Source::Package => "the project itself".to_owned(),
            Source::PackagesOnly => "python.packages".to_owned(),
            lock => lock.lock().unwrap_or_default().to_owned(),
        }
    }

    /// Refuses to leave out what was asked for.
    fn check(&self, python: &Python) -> Result<(), StepError> {
        let groups = matches!(self, Source::Uv | Source::Poetry | Source::Pipenv);
        let extras = matches!(self, Source::Uv | Source::Poetry | Source::Package);
        for (key, names, known) in [("groups", &python.groups, groups), ("extras", &python.extras, extras)] {
            if !names.is_empty() && !known {
                return Err(StepError::Refused {
                    what: format!("python.{key} is set, and {} has no {key}", self.name()),
                    help: format!("take `{key}` away, or name another `python: {{installer: …}}`"),
                });
            }
        }
        Ok(())
    }
}

fn detect(cx: &Context<'_>, installer: Installer) -> Result<Option<Source>, StepError> {
    match installer {
        Installer::Poetry => named(cx, Source::Poetry),
        Installer::Pipenv => named(cx, Source::Pipenv),
        Installer::Auto => Ok(match only_lock(cx)? {
            Some(lock) => Some(lock),
            None => requirements(cx)?.or(package(cx)?),
        }),
        Installer::Uv if tracked(cx, "uv.lock")?.is_some() => Ok(Some(Source::Uv)),
        Installer::Uv | Installer::Pip => {
            let pylock = tracked(cx, "pylock.toml")?.map(|_| Source::PyLock);
            Ok(requirements(cx)?.or(pylock).or(package(cx)?))
        }
    }
}

/// What release.yml names has to be there.
fn named(cx: &Context<'_>, source: Source) -> Result<Option<Source>, StepError> {
    let file = source.lock().unwrap_or_default();
    if tracked(cx, file)?.is_some() {
        return Ok(Some(source));
    }
    let tool = file.trim_end_matches(".lock").replace("Pipfile", "pipenv");
    Err(StepError::Refused {
        what: format!("{tool} is to install the packages, and there is no {file} in the revision"),
        help: format!("make and commit it: `{tool} lock && git add {file}`"),
    })
}

/// Two lock files are two opinions, and no guess between them is safe.
fn only_lock(cx: &Context<'_>) -> Result<Option<Source>, StepError> {
    let mut found = Vec::new();
    for (file, source, tool) in &LOCKS {
        if tracked(cx, file)?.is_some() {
            found.push((*file, source, *tool));
        }
    }
    match &found[..] {
        [] => Ok(None),
        [(_, source, _)] => Ok(Some((*source).clone())),
        several => Err(StepError::Refused {
            what: format!(
                "the revision has {}, and they need not agree",
                several.iter().map(|(file, _, _)| *file).collect::<Vec<_>>().join(" and ")
            ),
            help: format!("say which one counts: `python: {{installer: {}}}`", several[0].2),
        }),
    }
}

fn requirements(cx: &Context<'_>) -> Result<Option<Source>, StepError> {
    Ok(tracked(cx, USUAL)?.map(|_| Source::Requirements(vec![USUAL.to_owned()])))
}

fn package(cx: &Context<'_>) -> Result<Option<Source>, StepError> {
    let project = tracked(cx, "pyproject.toml")?.and_then(|text| Pyproject::parse(&text));
    Ok(project.filter(Pyproject::is_package).map(|_| Source::Package))
}
