//! Whether files in Git LFS can be had.

use release_core::host::HostResult;
use release_core::step::Context;

use super::Problem;

/// What gives a file to Git LFS, in the attributes at the top: where `git lfs track` writes it.
const FILTER: &str = "filter=lfs";

/// Only git-lfs knows how to get them. Attributes further down are seen when their files are written.
pub(super) fn problem(cx: &Context<'_>) -> HostResult<Option<Problem>> {
    let attributes = cx.host.file(&cx.run.layout.repo(), &cx.run.revision, ".gitattributes")?;
    let is_used = String::from_utf8_lossy(&attributes.unwrap_or_default()).contains(FILTER);
    let is_missing = is_used && cx.host.find_program("git-lfs").is_none();
    let what = "the repository keeps files in Git LFS, and there is no `git-lfs` here";
    Ok(is_missing.then(|| Problem::new(what, "apt install git-lfs")))
}
