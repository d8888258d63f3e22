//! A bundle that was built elsewhere: an archive or a directory that holds the outputs.

use std::path::{Path, PathBuf};

use release_core::command::Command;
use release_core::config::Frontend;
use release_core::host::Kind;
use release_core::step::{Context, StepError};

use crate::place::{below, discard};

/// The archive or directory, for this revision.
pub(super) fn path(cx: &Context<'_>, prebuilt: &str) -> PathBuf {
    below(cx.run.layout.root(), &prebuilt.replace("{revision}", cx.run.revision.as_str()))
}

/// What keeps it from being used.
pub(super) fn problem(cx: &Context<'_>, prebuilt: &str) -> Result<(), StepError> {
    let path = path(cx, prebuilt);
    match cx.host.resolve(&path)? {
        Some(_) => Ok(()),
        None => Err(StepError::Refused {
            what: format!("the prebuilt bundle {} does not exist", path.display()),
            help: "put it there before the deploy, or change `frontend: [{prebuilt: …}]`".to_owned(),
        }),
    }
}

/// Puts the outputs into the front end's directory.
pub(super) fn provide(
    cx: &Context<'_>,
    frontend: &Frontend,
    prebuilt: &str,
    directory: &Path,
) -> Result<(), StepError> {
    problem(cx, prebuilt)?;
    let from = path(cx, prebuilt);
    // Beside what is being removed: only whole outputs come into the release.
    let stage = cx.run.layout.trash().join(format!("{}-prebuilt", cx.run.release()));
    cx.host.remove(&stage)?;
    let real = cx.host.resolve(&from)?.unwrap_or_else(|| from.clone());
    if cx.host.kind(&real)? == Some(Kind::Directory) {
        cx.host.make_dir(stage.parent().unwrap_or(&stage))?;
        cx.host.copy_tree(&real, &stage, &|progress| cx.progress(progress))?;
    } else {
        cx.host.make_dir(&stage)?;
        cx.run(&unpack(&from, &stage)).map_err(explain)?;
    }
    for output in &frontend.outputs {
        let made = below(&stage, output);
        if cx.host.kind(&made)?.is_none() {
            return Err(StepError::Refused {
                what: format!("{} holds no {output}", from.display()),
                help: format!("pack it so that `tar -tf {}` begins with {output}/", from.display()),
            });
        }
        let into = below(directory, output);
        discard(cx, &into)?;
        cx.host.rename(&made, &into)?;
    }
    Ok(cx.host.remove(&stage)?)
}

fn unpack(archive: &Path, into: &Path) -> Command {
    let [archive, directory] = [archive, into].map(|path| path.display().to_string());
    Command::new("tar", into).args(["-xf", &archive, "--no-same-owner", "-C", &directory])
}

fn explain(error: StepError) -> StepError {
    let StepError::Command { command, exit, output, .. } = error else { return error };
    let help = "hand in an archive that tar can read, such as `tar -czf bundle.tar.gz dist`".to_owned();
    StepError::Command { command, exit, output, help: Some(help) }
}
