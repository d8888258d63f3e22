//! All that makes one environment differ from another.

use release_core::cache_key::CacheKey;
use release_core::pyproject::{Pyproject, locks_local, pipfile_locks_local};
use release_core::requirements;
use release_core::step::{Context, StepError};

use super::project::Source;
use super::{KIND, Wanted, files};
use crate::place::tracked;

pub(super) fn key(cx: &Context<'_>, wanted: &Wanted) -> Result<CacheKey, StepError> {
    let (about, python) = (&wanted.interpreter.about, &cx.run.config.python);
    let mut key = CacheKey::new(KIND, 2)
        .shown("python", &about.version)
        .shown("the interpreter", &about.executable)
        .with("the interpreter's build", &about.build)
        .shown("the platform", &about.platform)
        // Its scripts hold the path: in a cache that was moved they would not start.
        .shown("the cache", &cx.run.layout.cache().display().to_string())
        .shown("the installer", &wanted.tool.name())
        // In this order they are installed, whatever they include.
        .shown("what is installed from", &wanted.source.name());
    for (name, list) in [("python.groups", &python.groups), ("python.extras", &python.extras)] {
        if !list.is_empty() {
            key = key.shown(name, &list.join(", "));
        }
    }
    key = sources(cx, wanted, key)?;
    for package in &python.packages {
        key = key.with(&format!("the package {}", without_secret(package)), own_files(cx, package)?);
    }
    Ok(key)
}

fn sources(cx: &Context<'_>, wanted: &Wanted, mut key: CacheKey) -> Result<CacheKey, StepError> {
    let mut is_local = false;
    if let Source::Requirements(names) = &wanted.source {
        for (name, text) in files::with_includes(cx, names)? {
            is_local |= requirements::is_local(&String::from_utf8_lossy(&text));
            key = key.with(&name, text);
        }
    }
    if let Some(name) = wanted.source.lock() {
        let text = tracked(cx, name)?.unwrap_or_default();
        is_local |=
            if wanted.source == Source::Pipenv { pipfile_locks_local(&text) } else { locks_local(&text) };
        key = key.with(name, text);
    }
    match wanted.source {
        Source::Uv | Source::Poetry => {
            let project = tracked(cx, "pyproject.toml")?.and_then(|text| Pyproject::parse(&text));
            key = key
                .with("pyproject.toml", project.map(|project| project.about_packages()).unwrap_or_default());
        }
        Source::Package => key = key.with("the project's files", content(cx, "")?.unwrap_or_default()),
        _ => {}
    }
    // What is installed from the release's own directory is of no use to another one.
    Ok(if is_local { key.shown("the release", cx.run.release().as_str()) } else { key })
}

/// What the repository holds of a package that is named by its path.
fn own_files(cx: &Context<'_>, package: &str) -> Result<Vec<u8>, StepError> {
    let path = package.split('[').next().unwrap_or_default();
    if !path.starts_with('.') {
        return Ok(package.as_bytes().to_vec());
    }
    let id = content(cx, &files::normal(path.as_ref()))?.ok_or_else(|| StepError::Refused {
        what: format!("python.packages names {package}, which is not in the revision"),
        help: "commit it, or change `python: {packages: […]}`".to_owned(),
    })?;
    Ok(format!("{package} {id}").into_bytes())
}

fn content(cx: &Context<'_>, path: &str) -> Result<Option<String>, StepError> {
    let Some(path) = cx.run.config.in_revision(path) else { return Ok(None) };
    Ok(cx.host.content_id(&cx.run.layout.repo(), &cx.run.revision, &path)?)
}

/// A URL without the user and password that it may hold: names of inputs are stored and shown.
fn without_secret(package: &str) -> String {
    match package.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.split_once('@')?))) {
        Some((scheme, (user, host))) if !user.contains('/') => format!("{scheme}://{host}"),
        _ => package.to_owned(),
    }
}
