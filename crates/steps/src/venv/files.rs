//! Requirement files, with all that they include.

use std::path::Path;

use release_core::requirements;
use release_core::step::{Context, StepError};

use crate::place::tracked;

/// `files` and all that they include, each one once.
pub(super) fn with_includes(cx: &Context<'_>, files: &[String]) -> Result<Vec<(String, Vec<u8>)>, StepError> {
    let mut found: Vec<(String, Vec<u8>)> = Vec::new();
    let mut todo: Vec<(String, Option<String>)> =
        files.iter().rev().map(|file| (file.clone(), None)).collect();
    while let Some((name, by)) = todo.pop() {
        if found.iter().any(|(known, _)| *known == name) {
            continue;
        }
        let text = tracked(cx, &name)?.ok_or_else(|| absent(&name, by))?;
        let beside = Path::new(&name).parent().unwrap_or(Path::new(""));
        for file in requirements::includes(&String::from_utf8_lossy(&text)) {
            todo.push((normal(&beside.join(file)), Some(name.clone())));
        }
        found.push((name, text));
    }
    Ok(found)
}

/// `requirements/../base.txt` is `base.txt`: git knows no dots.
pub(super) fn normal(path: &Path) -> String {
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
