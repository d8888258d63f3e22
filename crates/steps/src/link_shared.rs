//! Links what outlives a release into it.

use std::path::{Path, PathBuf};

use release_core::host::{HostResult, Kind};
use release_core::run::Run;
use release_core::step::{Context, Look, Outcome, Step, StepError, UndoPolicy};

use crate::place::{below, in_app, in_release, relative};

/// Links the shared directories and files.
#[derive(Clone, Copy, Debug)]
pub struct LinkShared;

const NOTHING: &str = "nothing is shared";

impl Step for LinkShared {
    fn id(&self) -> &'static str {
        "link-shared"
    }

    fn describe(&self, run: &Run) -> String {
        let names: Vec<&str> = names(run).collect();
        if names.is_empty() { "link what is shared".to_owned() } else { format!("link {}", names.join(", ")) }
    }

    /// The links go with the release's directory; what is in `shared/` stays.
    fn undo_policy(&self) -> UndoPolicy {
        UndoPolicy::Nothing
    }

    fn look(&self, cx: &Context<'_>) -> Result<Look, StepError> {
        if names(cx.run).next().is_none() {
            return Ok(Look::Nothing(NOTHING.to_owned()));
        }
        require_files(cx)?;
        Ok(Look::Needed("every release has its own links".to_owned()))
    }

    fn run(&self, cx: &Context<'_>) -> Result<Outcome, StepError> {
        if names(cx.run).next().is_none() {
            return Ok(Outcome::Skipped(NOTHING.to_owned()));
        }
        require_files(cx)?;
        let mut notes = Vec::new();
        for name in &cx.run.config.linked_dirs {
            if provide(cx, name)? {
                notes.push(format!("copied the repository's {name} to shared/{name}, which was new"));
            }
            link(cx, name)?;
        }
        for name in &cx.run.config.linked_files {
            link(cx, name)?;
        }
        Ok(if notes.is_empty() { Outcome::Done } else { Outcome::DoneWith(notes.join("; ")) })
    }

    fn undo(&self, _: &Context<'_>) -> Result<(), StepError> {
        Ok(())
    }
}

fn names(run: &Run) -> impl Iterator<Item = &str> {
    run.config.linked_dirs.iter().chain(&run.config.linked_files).map(String::as_str)
}

fn shared(cx: &Context<'_>, name: &str) -> PathBuf {
    below(&cx.run.layout.shared(), name)
}

/// A service without its secrets would fail later, and say less.
fn require_files(cx: &Context<'_>) -> Result<(), StepError> {
    let mut missing = Vec::new();
    for name in &cx.run.config.linked_files {
        if cx.host.resolve(&shared(cx, name))?.is_none() {
            missing.push(name.as_str());
        }
    }
    let Some(first) = missing.first() else { return Ok(()) };
    let what = match missing.len() {
        1 => format!("linked file {first} is missing"),
        _ => format!("linked files {} are missing", missing.join(", ")),
    };
    let help =
        format!("create it, and fill it in: `install -D -m 600 /dev/null {}`", shared(cx, first).display());
    Err(StepError::Refused { what, help })
}

/// Makes `shared/<name>`. What the repository tracks there is its first content, and then we say so.
fn provide(cx: &Context<'_>, name: &str) -> Result<bool, StepError> {
    let (shared, tracked) = (shared(cx, name), in_app(cx, name));
    match cx.host.kind(&shared)? {
        None => {}
        Some(Kind::Directory) if cx.host.list(&shared)?.is_empty() => {}
        Some(Kind::Directory) => return Ok(false),
        // Whoever has the server may let it lead to another disk.
        Some(Kind::Link) if cx.host.resolve(&shared)?.is_some() => return Ok(false),
        Some(_) => {
            return Err(StepError::Refused {
                what: format!("linked directory {name} leads to no directory"),
                help: format!("look at it: `ls -ld {}`", shared.display()),
            });
        }
    }
    let has_content = cx.host.kind(&tracked)? == Some(Kind::Directory) && !cx.host.list(&tracked)?.is_empty();
    if has_content {
        seed(cx, &tracked, &shared)?
    } else {
        cx.host.make_dir(&shared)?
    }
    Ok(has_content)
}

/// Copies beside, then renames: a copy that was killed half way is never taken for content.
fn seed(cx: &Context<'_>, tracked: &Path, shared: &Path) -> HostResult<()> {
    let name = shared.file_name().expect("a linked directory has a name").to_string_lossy();
    let beside = shared.with_file_name(format!(".{name}.new"));
    cx.host.remove(&beside)?;
    cx.host.copy_tree(tracked, &beside, &|progress| cx.progress(progress))?;
    cx.host.remove(shared)?;
    cx.host.rename(&beside, shared)
}

/// Puts a relative link into the release, in place of what is tracked there.
fn link(cx: &Context<'_>, name: &str) -> Result<(), StepError> {
    let link = in_app(cx, name);
    let parent = make_parents(cx, name)?;
    if !matches!(cx.host.kind(&link)?, None | Some(Kind::Link)) {
        cx.host.remove(&link)?;
    }
    Ok(cx.host.replace_link(&link, &relative(&parent, &shared(cx, name)))?)
}

/// Makes the directory that `name` is in, and says where it really is: a tracked symlink on the
/// way could lead out of the release.
fn make_parents(cx: &Context<'_>, name: &str) -> Result<PathBuf, StepError> {
    let top = in_release(cx, ".");
    let real_top = cx.host.resolve(&top)?.unwrap_or_else(|| top.clone());
    let mut parent = top.clone();
    let inside = cx.run.config.in_revision(name).unwrap_or_default();
    for part in Path::new(&inside).parent().into_iter().flat_map(Path::components) {
        parent.push(part);
        if cx.host.kind(&parent)?.is_none() {
            cx.host.make_dir(&parent)?;
        }
    }
    let real = cx.host.resolve(&parent)?;
    let inside = real.as_deref().and_then(|real| real.strip_prefix(&real_top).ok());
    inside.map(|inside| top.join(inside)).ok_or_else(|| StepError::Refused {
        what: format!(
            "{name} cannot be linked: the repository tracks a symlink on its way that escapes the release"
        ),
        help: format!("look for it: `git ls-files -s {name} | grep ^120000`, or link another path"),
    })
}

#[cfg(test)]
mod tests;
