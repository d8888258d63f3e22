//! Keeps hashed static files of earlier releases beside those of the new one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use release_core::assets::{self, Assets, is_hashed};
use release_core::host::{HostResult, Kind};
use release_core::release::ReleaseId;
use release_core::run::Run;
use release_core::step::{Context, Look, Outcome, Step, StepError, UndoPolicy};

use crate::place::{below, in_release};

/// Adds hashed files of the last releases to the static files, for pages that were opened before.
///
/// The release's own files stay as they are, its manifest too.
#[derive(Clone, Copy, Debug)]
pub struct KeepAssets;

impl Step for KeepAssets {
    fn id(&self) -> &'static str {
        "keep-assets"
    }

    fn describe(&self, run: &Run) -> String {
        match run.config.keep_assets.releases {
            1 => "keep assets of the last release".to_owned(),
            count => format!("keep assets of the last {count} releases"),
        }
    }

    /// Names with a digest are in nobody's way.
    fn undo_policy(&self) -> UndoPolicy {
        UndoPolicy::Nothing
    }

    fn look(&self, cx: &Context<'_>) -> Result<Look, StepError> {
        Ok(match wanted(cx) {
            Err(why) => Look::Nothing(why),
            Ok(_) => Look::Needed("open pages ask for those of their release".to_owned()),
        })
    }

    fn run(&self, cx: &Context<'_>) -> Result<Outcome, StepError> {
        let directory = match wanted(cx) {
            Err(why) => return Ok(Outcome::Skipped(why)),
            Ok(directory) => directory,
        };
        if cx.host.kind(&in_release(cx, &directory))? != Some(Kind::Directory) {
            return Ok(Outcome::Skipped(format!("the release has no {directory}/")));
        }
        let mut known = records(cx)?;
        if !known.contains_key(cx.run.release()) {
            let own = own(cx, &directory)?;
            let text = serde_json::to_vec(&own).expect("a list of names is plain data");
            cx.host.write(&cx.run.layout.assets_record(cx.run.release()), &text, 0o644)?;
            known.insert(cx.run.release().clone(), own);
        }
        let added = add(cx, &directory, &known)?;
        forget_old(cx, &known)?;
        Ok(match added {
            0 => Outcome::Skipped("there are none that the release has not".to_owned()),
            1 => Outcome::DoneWith("1 file".to_owned()),
            count => Outcome::DoneWith(format!("{count} files")),
        })
    }

    fn undo(&self, _: &Context<'_>) -> Result<(), StepError> {
        Ok(())
    }
}

/// The directory of the static files in the release, or why nothing is kept.
fn wanted(cx: &Context<'_>) -> Result<String, String> {
    if cx.run.config.keep_assets.releases == 0 {
        return Err("`keep_assets: 0` in release.yml".to_owned());
    }
    let files = cx.run.config.served_static();
    let directory = files.and_then(|files| cx.run.config.in_revision(&files.directory));
    directory.ok_or_else(|| "the proxy serves no static files".to_owned())
}

/// The releases that users may have a page of, the last one first.
fn before<'a>(cx: &Context<'a>) -> Vec<&'a ReleaseId> {
    let mut before = Vec::new();
    for release in cx.run.previous.iter().map(|previous| &previous.release).chain(&cx.run.served) {
        if release != cx.run.release() && !before.contains(&release) {
            before.push(release);
        }
    }
    assets::kept(before, &cx.run.config.keep_assets, cx.host.now())
}

fn records(cx: &Context<'_>) -> HostResult<BTreeMap<ReleaseId, Assets>> {
    let mut known = BTreeMap::new();
    for path in cx.host.list(&cx.run.layout.assets_records())? {
        let release = path.file_name().and_then(|name| name.to_str()?.parse().ok());
        // One that cannot be read says of nothing that it is to be kept.
        let assets = cx.host.read(&path)?.and_then(|text| serde_json::from_slice(&text).ok());
        known.extend(release.zip(assets));
    }
    Ok(known)
}

/// The hashed files that the release brings itself.
fn own(cx: &Context<'_>, directory: &str) -> HostResult<Assets> {
    let top = in_release(cx, directory);
    let mut assets = Assets { directory: directory.to_owned(), files: Vec::new() };
    let mut directories = vec![top.clone()];
    while let Some(next) = directories.pop() {
        for path in cx.host.list(&next)? {
            match cx.host.kind(&path)? {
                Some(Kind::Directory) => directories.push(path),
                Some(Kind::File) => assets.files.extend(hashed_name(&top, &path)),
                _ => {}
            }
        }
    }
    assets.files.sort();
    Ok(assets)
}

fn hashed_name(top: &Path, path: &Path) -> Option<String> {
    path.strip_prefix(top).ok()?.to_str().filter(|name| is_hashed(name)).map(str::to_owned)
}

/// Adds what the release has not of itself, and says how many files that were.
fn add(cx: &Context<'_>, directory: &str, known: &BTreeMap<ReleaseId, Assets>) -> HostResult<usize> {
    let mut added = 0;
    for file in before(cx).into_iter().filter_map(|release| known.get(release)).flat_map(|of| &of.files) {
        let to = below(&in_release(cx, directory), file);
        if cx.host.kind(&to)?.is_none()
            && let Some(from) = source(cx, known, file)?
        {
            cx.host.link_file(&from, &to)?;
            added += 1;
        }
    }
    Ok(added)
}

/// The file in a release that is on the disk: its own, or one that kept it.
fn source(cx: &Context<'_>, known: &BTreeMap<ReleaseId, Assets>, file: &str) -> HostResult<Option<PathBuf>> {
    for (release, assets) in known.iter().rev().filter(|(release, _)| *release != cx.run.release()) {
        let path = below(&below(&cx.run.layout.release(release), &assets.directory), file);
        if cx.host.kind(&path)? == Some(Kind::File) {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// What is known of releases that are gone, and of which nothing is kept any more.
fn forget_old(cx: &Context<'_>, known: &BTreeMap<ReleaseId, Assets>) -> HostResult<()> {
    let before = before(cx);
    for release in known.keys().filter(|release| !before.contains(release)) {
        if cx.host.kind(&cx.run.layout.release(release))?.is_none() {
            cx.host.remove(&cx.run.layout.assets_record(release))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
