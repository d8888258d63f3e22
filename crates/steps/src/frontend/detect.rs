//! Looks for front ends: a `package.json` in the app's directory or one below.

use release_core::config::Frontend;
use release_core::host::HostResult;
use release_core::step::Context;
use serde_json::Value;

use super::manager::Manager;

/// The front ends of the revision.
pub(super) fn find(cx: &Context<'_>) -> HostResult<Vec<Frontend>> {
    let app = &cx.run.config.directory;
    let names = cx.host.names(&cx.run.layout.repo(), &cx.run.revision, as_in_git(app))?;
    let below = names.iter().filter(|name| !name.starts_with('.') && *name != "node_modules");
    let mut found = Vec::new();
    for directory in std::iter::once(app.clone()).chain(below.map(|name| in_directory(app, name))) {
        if package(cx, &directory)?.is_some_and(|package| package["scripts"]["build"].is_string())
            && Manager::by_lock(cx, &directory)?.is_some()
        {
            found.push(Frontend::usual(&directory));
        }
    }
    Ok(found)
}

/// The `package.json` of a directory; null if it cannot be read.
pub(super) fn package(cx: &Context<'_>, directory: &str) -> HostResult<Option<Value>> {
    Ok(file(cx, directory, "package.json")?.map(|text| serde_json::from_slice(&text).unwrap_or_default()))
}

/// A tracked file of a directory.
pub(super) fn file(cx: &Context<'_>, directory: &str, name: &str) -> HostResult<Option<Vec<u8>>> {
    let path = in_directory(directory, name);
    cx.host.file(&cx.run.layout.repo(), &cx.run.revision, &path)
}

/// A directory as git knows it, which has no name for the top.
pub(super) fn as_in_git(directory: &str) -> &str {
    if directory == "." { "" } else { directory }
}

/// `name` as git knows it, which knows no dots.
pub(super) fn in_directory(directory: &str, name: &str) -> String {
    if directory == "." { name.to_owned() } else { format!("{directory}/{name}") }
}
