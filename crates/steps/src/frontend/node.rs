//! The server's node, and which one the project takes.

use release_core::command::Command;
use release_core::config::Frontend;
use release_core::host::HostResult;
use release_core::node_version;
use release_core::step::{Context, StepError};

use super::detect;
use super::manager::find;

/// The version of the server's node, if it is one that the project takes.
pub(super) fn fitting_node(cx: &Context<'_>, frontend: &Frontend) -> Result<String, StepError> {
    let node = find(cx, "node")?;
    let asked = Command::new(node, cx.run.layout.root()).args(["--version"]);
    let (_, mut lines) = cx.host.inquire(&asked)?;
    let version = lines.pop().unwrap_or_default();
    let package = detect::package(cx, &frontend.directory)?.unwrap_or_default();
    let file = version_file(cx, &frontend.directory)?;
    let file = file.as_ref().map(|(name, text)| (*name, text.as_str()));
    match node_version::refusal(&version, package["engines"]["node"].as_str(), file) {
        None => Ok(version),
        Some(what) => Err(StepError::Refused {
            what,
            help: "install a Node.js that fits (https://nodejs.org), or change what the project asks for"
                .to_owned(),
        }),
    }
}

fn version_file(cx: &Context<'_>, directory: &str) -> HostResult<Option<(&'static str, String)>> {
    for directory in [directory, "."] {
        for name in [".nvmrc", ".node-version"] {
            if let Some(text) = detect::file(cx, directory, name)? {
                return Ok(Some((name, String::from_utf8_lossy(&text).into_owned())));
            }
        }
    }
    Ok(None)
}
