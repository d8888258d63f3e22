//! All that makes one bundle differ from another.

use release_core::cache_key::CacheKey;
use release_core::command::Variables;
use release_core::config::Frontend;
use release_core::environment::{INHERITED, computed_names};
use release_core::run::Run;
use release_core::step::{Context, StepError};

use super::KIND;
use super::build::words;
use super::detect::{as_in_git, in_directory};
use super::manager::Manager;
use super::node::fitting_node;

/// What differs by release: a build that saw it would be another one each time.
const OF_THE_RELEASE: [&str; 3] = ["RELEASE_ID", "RELEASE_REVISION", "PWD"];

/// Everything that could make the outputs differ, as far as the front end keeps to its directory and
/// to its inputs.
pub(super) fn key(
    cx: &Context<'_>,
    frontend: &Frontend,
    manager: Option<&Manager>,
) -> Result<CacheKey, StepError> {
    let name = &frontend.directory;
    let content = |path: &str| cx.host.content_id(&cx.run.layout.repo(), &cx.run.revision, path);
    let sources = content(as_in_git(name))?.ok_or_else(|| StepError::Refused {
        what: format!("the front end's directory {name} is not in the revision"),
        help: "change `frontend: [{directory: …}]`".to_owned(),
    })?;
    let (install, build) = words(frontend, manager);
    let mut key = CacheKey::new(KIND, 3)
        .shown("node", &fitting_node(cx, frontend)?)
        .shown("what installs", install)
        .shown("what builds", build)
        .shown("what it makes", &frontend.outputs.join(", "));
    if let Some(manager) = manager {
        let lock = in_directory(name, manager.lock);
        key = key.shown("the package manager", &manager.name());
        key = key.with(&lock, content(&lock)?.unwrap_or_default());
    }
    key = key.with(&format!("what is in {name}"), sources);
    for input in &frontend.inputs {
        let path = frontend.in_release(input).unwrap_or_default();
        let id = content(&path)?.ok_or_else(|| no_input(name, &path))?;
        key = key.with(&format!("what is in {path}"), id);
    }
    // Bundlers put variables of the environment into what they make.
    Ok(with_variables(cx.run, key))
}

fn no_input(name: &str, path: &str) -> StepError {
    StepError::Refused {
        what: format!("{path}, which {name} is made from, is not in the revision"),
        help: "commit it, or change `frontend: [{inputs: […]}]`".to_owned(),
    }
}

/// The key with each of the app's variables.
pub(super) fn with_variables(run: &Run, key: CacheKey) -> CacheKey {
    let env = environment(run);
    let own = env.iter().filter(|(name, _)| !is_of_the_caller(name));
    own.fold(key, |key, (name, value)| key.with(&format!("the variable {name}"), value.reveal()))
}

/// The app's variables without those that name the release.
pub(super) fn environment(run: &Run) -> Variables {
    let mut env = run.env.clone();
    env.retain(|name, _| !OF_THE_RELEASE.contains(&name.as_str()));
    env
}

/// A hook and a terminal differ in these, and so do the paths of two releases; how many processors
/// there are changes no bundle.
fn is_of_the_caller(name: &str) -> bool {
    INHERITED.contains(&name)
        || ["PATH", "VIRTUAL_ENV"].contains(&name)
        || computed_names().any(|computed| computed == name)
}
