//! The requirement files of a revision, with all that they include.

use std::path::Path;

use release_core::host::HostResult;
use release_core::requirements;
use release_core::step::{Context, StepError};

use crate::place::{below, in_release};

/// The configured files, or the usual one; `None` when there is nothing to install.
pub(super) fn wanted(cx: &Context<'_>) -> Result<Option<Vec<String>>, StepError> {
    const USUAL: &str = "requirements.txt";
    if let Some(files) = &cx.run.config.python.requirements {
        return Ok((!files.is_empty()).then(|| files.clone()));
    }
    if read(cx, USUAL)?.is_some() {
        return Ok(Some(vec![USUAL.to_owned()]));
    }
    match cx.run.config.django {
        None => Ok(None),
        Some(_) => Err(StepError::Refused {
            what: "there is no requirements.txt to install Django from".to_owned(),
            help: "name the files: `python: {requirements: [requirements/production.txt]}`".to_owned(),
        }),
    }
}

/// `files` and all that they include, each one once.
pub(super) fn with_includes(cx: &Context<'_>, files: &[String]) -> Result<Vec<(String, Vec<u8>)>, StepError> {
    let mut found: Vec<(String, Vec<u8>)> = Vec::new();
    let mut todo: Vec<(String, Option<String>)> =
        files.iter().rev().map(|file| (file.clone(), None)).collect();
    while let Some((name, by)) = todo.pop() {
        if found.iter().any(|(known, _)| *known == name) {
            continue;
        }
        let text = read(cx, &name)?.ok_or_else(|| absent(&name, by))?;
        let beside = Path::new(&name).parent().unwrap_or(Path::new(""));
        for file in requirements::includes(&String::from_utf8_lossy(&text)) {
            todo.push((normal(&beside.join(file)), Some(name.clone())));
        }
        found.push((name, text));
    }
    Ok(found)
}

/// `requirements/../base.txt` is `base.txt`: git knows no dots.
fn normal(path: &Path) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.to_str().unwrap_or_default().split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn absent(name: &str, by: Option<String>) -> StepError {
    let what = match by {
        Some(by) => format!("{by} includes {name}, which is not in the revision"),
        None => format!("{name} is not in the revision"),
    };
    StepError::Refused { what, help: "commit it, or change `python: {requirements: […]}`".to_owned() }
}

/// A file of the release; of the revision, as long as there is no release.
fn read(cx: &Context<'_>, path: &str) -> HostResult<Option<Vec<u8>>> {
    let top = in_release(cx, ".");
    if cx.host.kind(&top)?.is_some() {
        return cx.host.read(&below(&top, path));
    }
    cx.host.file(&cx.run.layout.repo(), &cx.run.revision, path)
}
