//! Which paths a `release.yml` may name: relative ones that stay where they are put.

use super::Frontend;
use super::fields::{Report, name};

/// What is wrong with a path wherever it leads.
fn peculiar(path: &str) -> Option<&'static str> {
    if path.is_empty() {
        Some("is empty")
    } else if path.contains('\0') {
        Some("holds a NUL byte")
    } else if path.starts_with('/') {
        Some("is absolute; write it relative to the release")
    } else if path.starts_with('~') {
        Some("begins with `~`, which nothing expands here")
    } else if path.split('/').any(|part| part == ".git") {
        Some("is git's own")
    } else {
        None
    }
}

/// What is wrong with a path below the release or `shared/`; `None` if nothing is.
pub(super) fn problem(path: &str) -> Option<&'static str> {
    let climbs = path.split('/').any(|part| part == "..");
    peculiar(path).or_else(|| climbs.then_some(LEAVES))
}

/// What is wrong with a path that begins in `directory` and may leave it, but not the release.
pub(super) fn problem_inside(directory: &str, path: &str) -> Option<&'static str> {
    peculiar(path).or_else(|| normal(&format!("{directory}/{path}")).is_none().then_some(LEAVES))
}

const LEAVES: &str = "leaves the release by `..`";

/// Names below a release that are ours.
const RESERVED: [&str; 3] = ["venv", "run", "REVISION"];

/// `path` without `./` and slashes that say nothing.
pub(super) fn clean(path: &str) -> String {
    path.split('/').filter(|part| !part.is_empty() && *part != ".").collect::<Vec<_>>().join("/")
}

/// `path` without dots; `None` when it leads out of where it begins.
pub(super) fn normal(path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Checks what a front end makes: inside the release, and nothing of ours.
pub(super) fn check_output(at: &[String], frontend: &Frontend, output: &str, report: &mut Report<'_>) {
    let key = name(at);
    let below = frontend.in_release(output);
    let top = below.as_deref().map(|path| path.split('/').next().unwrap_or_default());
    let wrong = match top {
        _ if output.starts_with('/') => problem(output),
        None => Some(LEAVES),
        Some("") => Some("is the release itself"),
        Some(top) if RESERVED.contains(&top) => Some("is a name that release itself uses"),
        Some(_) => problem(below.as_deref().unwrap_or_default()),
    };
    if let Some(wrong) = wrong {
        report.add(at, format!("{key}: `{output}` {wrong}"), None);
    } else if frontend.prebuilt.is_some() && problem(output).is_some() {
        let help = "name what lies in it, as the front end's directory should hold it".to_owned();
        report.add(at, format!("{key}: `{output}` is outside of what is prebuilt"), Some(help));
    }
}

/// Checks linked directories and files: each one by itself, and against each other.
pub(super) fn check_linked(dirs: &[String], files: &[String], report: &mut Report<'_>) {
    let all = || {
        let dirs = dirs.iter().enumerate().map(|(index, path)| ("linked_dirs", index, clean(path)));
        dirs.chain(files.iter().enumerate().map(|(index, path)| ("linked_files", index, clean(path))))
    };
    let mut seen: Vec<String> = Vec::new();
    for ((key, index, path), given) in all().zip(dirs.iter().chain(files)) {
        let at = [key.to_owned(), index.to_string()];
        if let Some(wrong) = problem(given) {
            report.add(&at, format!("{key}: `{given}` {wrong}"), None);
        } else if path.is_empty() {
            report.add(&at, format!("{key}: `{given}` is the release itself"), None);
        } else if is_ours(report.directory, &path) {
            report.add(&at, format!("{key}: `{given}` is a name that release itself uses"), None);
        } else if seen.contains(&path) {
            report.add(&at, format!("{key}: `{given}` is named twice"), Some("name it once".to_owned()));
        } else if let Some(outer) = seen.iter().find(|other| nested(other, &path)) {
            let what = format!("{key}: `{given}` and `{outer}` lie one within the other");
            report.add(&at, what, Some("link the outer one only".to_owned()));
        }
        seen.push(path);
    }
}

/// Whether a path of the app is one that we make in each release.
fn is_ours(directory: &str, path: &str) -> bool {
    let inside = normal(&format!("{directory}/{path}")).unwrap_or_default();
    RESERVED.contains(&inside.split('/').next().unwrap_or_default())
}

fn nested(one: &str, other: &str) -> bool {
    let below =
        |inner: &str, outer: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'));
    below(one, other) || below(other, one)
}
