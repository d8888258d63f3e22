//! Looks for front ends: a `package.json` at the top or one directory below.

use release_core::config::Frontend;
use release_core::host::HostResult;
use release_core::step::Context;
use serde_json::Value;

/// Lock files, and what installs from and builds with them.
const LOCKS: [(&str, &str, &str); 4] = [
    ("package-lock.json", "npm ci", "npm run build"),
    ("npm-shrinkwrap.json", "npm ci", "npm run build"),
    ("pnpm-lock.yaml", "pnpm install --frozen-lockfile", "pnpm run build"),
    ("yarn.lock", "yarn install --frozen-lockfile", "yarn run build"),
];

/// The front ends of the revision.
pub(super) fn find(cx: &Context<'_>) -> HostResult<Vec<Frontend>> {
    let top = names(cx, "")?;
    let below = top.iter().filter(|name| !name.starts_with('.') && *name != "node_modules");
    let mut found = Vec::new();
    for directory in std::iter::once(".").chain(below.map(String::as_str)) {
        found.extend(frontend(cx, directory)?);
    }
    Ok(found)
}

fn frontend(cx: &Context<'_>, directory: &str) -> HostResult<Option<Frontend>> {
    let prefix = if directory == "." { String::new() } else { format!("{directory}/") };
    let path = format!("{prefix}package.json");
    let Some(package) = cx.host.file(&cx.run.layout.repo(), &cx.run.revision, &path)? else {
        return Ok(None);
    };
    if !has_build_script(&package) {
        return Ok(None);
    }
    let names = names(cx, prefix.trim_end_matches('/'))?;
    let lock = LOCKS.iter().find(|(lock, _, _)| names.iter().any(|name| name == lock));
    Ok(lock.map(|(_, install, build)| Frontend {
        install: (*install).to_owned(),
        build: (*build).to_owned(),
        ..Frontend::npm(directory)
    }))
}

fn has_build_script(package: &[u8]) -> bool {
    serde_json::from_slice(package).is_ok_and(|package: Value| package["scripts"]["build"].is_string())
}

fn names(cx: &Context<'_>, path: &str) -> HostResult<Vec<String>> {
    cx.host.names(&cx.run.layout.repo(), &cx.run.revision, path)
}
