//! Where things are, relative to each other, and how they leave.

use std::path::{Component, Path, PathBuf};

use release_core::host::HostResult;
use release_core::step::Context;

/// What a symlink in `directory` holds to lead to `target`, so that a root can move. Both absolute.
pub(crate) fn relative(directory: &Path, target: &Path) -> PathBuf {
    let (from, to): (Vec<_>, Vec<_>) = (directory.components().collect(), target.components().collect());
    let common = from.iter().zip(&to).take_while(|(one, other)| one == other).count();
    let up = std::iter::repeat_n(Component::ParentDir, from.len() - common);
    up.chain(to[common..].iter().copied()).collect()
}

/// The directory `path` (`.` for the top) of the release that is built.
pub(crate) fn in_release(cx: &Context<'_>, path: &str) -> PathBuf {
    below(&cx.run.layout.release(cx.run.release()), path)
}

/// What the app calls `path`, in the release that is built.
pub(crate) fn in_app(cx: &Context<'_>, path: &str) -> PathBuf {
    below(&cx.run.layout.app(cx.run.release(), &cx.run.config), path)
}

/// `path` below `top`, without parts that say nothing.
pub(crate) fn below(top: &Path, path: &str) -> PathBuf {
    top.components().chain(Path::new(path).components().filter(|part| *part != Component::CurDir)).collect()
}

/// What the app calls `path`: a file of the release, or of the revision as long as there is no release.
pub(crate) fn tracked(cx: &Context<'_>, path: &str) -> HostResult<Option<Vec<u8>>> {
    let Some(path) = cx.run.config.in_revision(path) else { return Ok(None) };
    let top = in_release(cx, ".");
    if cx.host.kind(&top)?.is_some() {
        return cx.host.read(&below(&top, &path));
    }
    cx.host.file(&cx.run.layout.repo(), &cx.run.revision, &path)
}

/// Removes a tree of which no half may ever be seen: a rename is quick, the removal takes its time.
pub(crate) fn discard(cx: &Context<'_>, path: &Path) -> HostResult<()> {
    if cx.host.kind(path)?.is_none() {
        return Ok(());
    }
    let name = path.file_name().expect("only named paths are discarded");
    let trash = cx.run.layout.trash().join(name);
    cx.host.remove(&trash)?;
    cx.host.rename(path, &trash)?;
    cx.host.remove(&trash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_paths_go_up_to_the_common_part_and_down_again() {
        let of = |from, to| relative(Path::new(from), Path::new(to)).display().to_string();
        assert_eq!(of("/srv/shop/releases/a", "/srv/shop/shared/media"), "../../shared/media");
        assert_eq!(
            of("/srv/shop/releases/a/config", "/srv/shop/shared/config/x"),
            "../../../shared/config/x"
        );
        assert_eq!(of("/a", "/a/b"), "b");
    }

    #[test]
    fn the_top_is_a_dot() {
        let of = |path| below(Path::new("/srv"), path).display().to_string();
        assert_eq!([of("."), of("./web"), of("web/a")], ["/srv", "/srv/web", "/srv/web/a"]);
    }
}
