//! Which paths a `release.yml` may name: relative ones that stay where they are put.

use super::fields::Report;

/// What is wrong with a path below the release or `shared/`; `None` if nothing is.
pub(super) fn problem(path: &str) -> Option<&'static str> {
    if path.is_empty() {
        Some("is empty")
    } else if path.contains('\0') {
        Some("holds a NUL byte")
    } else if path.starts_with('/') {
        Some("is absolute; write it relative to the release")
    } else if path.starts_with('~') {
        Some("begins with `~`, which nothing expands here")
    } else if path.split('/').any(|part| part == "..") {
        Some("leaves the release by `..`")
    } else if path.split('/').any(|part| part == ".git") {
        Some("is git's own")
    } else {
        None
    }
}

/// Names below a release that are ours.
const RESERVED: [&str; 3] = ["venv", "run", "REVISION"];

/// `path` without `./` and slashes that say nothing.
pub(super) fn clean(path: &str) -> String {
    path.split('/').filter(|part| !part.is_empty() && *part != ".").collect::<Vec<_>>().join("/")
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
        } else if RESERVED.contains(&path.split('/').next().unwrap_or_default()) {
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

fn nested(one: &str, other: &str) -> bool {
    let below =
        |inner: &str, outer: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('/'));
    below(one, other) || below(other, one)
}
