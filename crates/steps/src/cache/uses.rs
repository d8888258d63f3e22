//! Which release of which root uses which entry.
//!
//! Each root has a directory of its own in the cache: `roots/<root>/root` holds its path, and
//! `roots/<root>/<release>/<kind>/<entry>` says what a release uses. Nobody writes into a whole
//! entry, and roots of several users need no right to write where another one does.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use release_core::host::{HostError, HostResult};
use release_core::layout::Layout;
use release_core::release::ReleaseId;
use release_core::step::Context;

use super::KINDS;

/// Says that the release uses the entry.
pub(super) fn mark_used(cx: &Context<'_>, entry: &Path) -> HostResult<()> {
    let name = cx.run.layout.cache_registration().join(ROOT);
    if cx.host.kind(&name)?.is_none() {
        cx.host.write(&name, cx.run.layout.root().as_os_str().as_bytes(), 0o644)?;
    }
    cx.host.write(&mark(cx, entry), b"", 0o644)
}

pub(super) fn is_marked(cx: &Context<'_>, entry: &Path) -> HostResult<bool> {
    Ok(cx.host.kind(&mark(cx, entry))?.is_some())
}

pub(super) fn unmark(cx: &Context<'_>, entry: &Path) -> HostResult<()> {
    cx.host.remove(&mark(cx, entry))
}

/// The entries of a kind that a release of this root says it uses.
pub(crate) fn marks_of(cx: &Context<'_>, release: &ReleaseId, kind: &str) -> HostResult<Vec<PathBuf>> {
    let marks = cx.host.list(&release_marks(cx, release).join(kind))?;
    Ok(marks.iter().filter_map(|mark| of_mark(cx, kind, mark)).collect())
}

const ROOT: &str = "root";

fn release_marks(cx: &Context<'_>, release: &ReleaseId) -> PathBuf {
    cx.run.layout.cache_registration().join(release.as_str())
}

fn mark(cx: &Context<'_>, entry: &Path) -> PathBuf {
    let kind = entry.parent().and_then(Path::file_name).unwrap_or_default();
    release_marks(cx, cx.run.release()).join(kind).join(entry.file_name().unwrap_or_default())
}

/// The entries that some release needs, of any root that uses the cache, once these releases of
/// this root are gone.
pub(super) fn used_without(cx: &Context<'_>, going: &[ReleaseId]) -> HostResult<BTreeSet<PathBuf>> {
    let own = &cx.run.layout;
    // A root that has not said so yet may use it: one that was moved, or is from before there were marks.
    let mut used = linked(cx, own, going)?;
    for registration in cx.host.list(&own.cache_roots())? {
        let Some(root) = root_of(cx, &registration)? else { continue };
        let going = if root.root() == own.root() { going } else { &[] };
        used.extend(linked(cx, &root, going)?);
        for (release, marks) in marks_in(cx, &registration)? {
            if !going.contains(&release) && !is_gone(cx, &root.release(&release))? {
                used.extend(marked(cx, &marks)?);
            }
        }
    }
    Ok(used)
}

/// What is said of releases that are gone, and of roots that are.
pub(super) fn stale(cx: &Context<'_>) -> HostResult<Vec<PathBuf>> {
    let mut stale = Vec::new();
    for registration in cx.host.list(&cx.run.layout.cache_roots())? {
        let Some(root) = root_of(cx, &registration)? else {
            stale.push(registration);
            continue;
        };
        for (release, marks) in marks_in(cx, &registration)? {
            if is_gone(cx, &root.release(&release))? {
                stale.push(marks);
            }
        }
    }
    Ok(stale)
}

/// The root of a registration; `None` if there is none any more.
fn root_of(cx: &Context<'_>, registration: &Path) -> HostResult<Option<Layout>> {
    let Some(path) = cx.host.read(&registration.join(ROOT))? else { return Ok(None) };
    let root = Layout::new(OsStr::from_bytes(&path));
    Ok(if is_gone(cx, &root.releases())? { None } else { Some(root) })
}

fn marks_in(cx: &Context<'_>, registration: &Path) -> HostResult<Vec<(ReleaseId, PathBuf)>> {
    let listed = cx.host.list(registration)?.into_iter();
    Ok(listed.filter_map(|path| Some((release_at(&path)?, path))).collect())
}

fn marked(cx: &Context<'_>, marks: &Path) -> HostResult<Vec<PathBuf>> {
    let mut marked = Vec::new();
    for kind in KINDS {
        marked.extend(cx.host.list(&marks.join(kind))?.iter().filter_map(|mark| of_mark(cx, kind, mark)));
    }
    Ok(marked)
}

fn of_mark(cx: &Context<'_>, kind: &str, mark: &Path) -> Option<PathBuf> {
    Some(cx.run.layout.cache().join(kind).join(mark.file_name()?))
}

/// The environments in the cache that releases of `root` lead to.
fn linked(cx: &Context<'_>, root: &Layout, going: &[ReleaseId]) -> HostResult<BTreeSet<PathBuf>> {
    let mut linked = BTreeSet::new();
    for release in readable(cx.host.list(&root.releases()))?.unwrap_or_default() {
        if release_at(&release).is_none_or(|id| going.contains(&id)) {
            continue;
        }
        let Some(target) = readable(cx.host.read_link(&release.join("venv")))?.flatten() else { continue };
        linked.extend(normal(&release, &target).filter(|path| path.starts_with(cx.run.layout.cache())));
    }
    Ok(linked)
}

fn release_at(path: &Path) -> Option<ReleaseId> {
    path.file_name()?.to_str()?.parse().ok()
}

/// Where a link in `directory` leads, by its text.
fn normal(directory: &Path, target: &Path) -> Option<PathBuf> {
    let mut path = directory.to_owned();
    for part in target.components() {
        match part {
            Component::ParentDir => drop(path.pop().then_some(())?),
            part => path.push(part),
        }
    }
    Some(path)
}

/// What another user does not let us see counts as there.
fn is_gone(cx: &Context<'_>, path: &Path) -> HostResult<bool> {
    Ok(readable(cx.host.kind(path))?.is_some_and(|kind| kind.is_none()))
}

/// `None` for what another user does not let us see.
fn readable<T>(result: HostResult<T>) -> HostResult<Option<T>> {
    match result {
        Err(HostError::Io { source, .. }) if source.kind() == ErrorKind::PermissionDenied => Ok(None),
        result => result.map(Some),
    }
}
