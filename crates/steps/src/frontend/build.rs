//! One front end: its key, its build, and its bundle on the way into the release.

use std::path::{Path, PathBuf};

use release_core::cache_key::CacheKey;
use release_core::command::{Command, Variables};
use release_core::config::Frontend;
use release_core::environment::INHERITED;
use release_core::host::HostResult;
use release_core::run::Run;
use release_core::step::{Context, StepError};

use super::KIND;
use crate::cache;
use crate::place::{below, in_release};

/// A front end and the place of its bundle.
pub(super) struct Bundle {
    frontend: Frontend,
    pub(super) entry: PathBuf,
}

/// What differs by release: a build that saw it would be another one each time.
const OF_THE_RELEASE: [&str; 3] = ["RELEASE_ID", "RELEASE_REVISION", "PWD"];

impl Bundle {
    pub(super) fn new(cx: &Context<'_>, frontend: Frontend) -> Result<Self, StepError> {
        let entry = cx.run.layout.cached(KIND, &key(cx, &frontend)?);
        Ok(Self { frontend, entry })
    }

    /// As people know it.
    pub(super) fn name(&self) -> &str {
        if self.frontend.directory == "." { "the front end" } else { &self.frontend.directory }
    }

    /// Sees to it that the outputs are in the release, and says how.
    pub(super) fn provide(&self, cx: &Context<'_>) -> Result<&'static str, StepError> {
        let directory = self.directory(cx)?;
        if cache::is_complete(cx, &self.entry)? {
            cache::mark_used(cx, &self.entry)?;
            self.restore(cx, &directory)?;
            return Ok("from the cache");
        }
        for words in [&self.frontend.install, &self.frontend.build] {
            cx.run(&command(cx, words, &directory)?).map_err(explain)?;
        }
        self.store(cx, &directory)?;
        cx.host.remove(&directory.join("node_modules"))?;
        Ok("built")
    }

    /// A tracked symlink could lead the build out of the release.
    fn directory(&self, cx: &Context<'_>) -> Result<PathBuf, StepError> {
        let (top, directory) = (in_release(cx, "."), in_release(cx, &self.frontend.directory));
        let name = &self.frontend.directory;
        let refused = |what: String| StepError::Refused {
            what,
            help: "change `frontend: [{directory: …}]`".to_owned(),
        };
        let real = cx.host.resolve(&directory)?;
        let real =
            real.ok_or_else(|| refused(format!("the front end's directory {name} is not in the revision")))?;
        match cx.host.resolve(&top)?.is_some_and(|top| real.starts_with(top)) {
            true => Ok(directory),
            false => Err(refused(format!("the front end's directory {name} leads out of the release"))),
        }
    }

    fn store(&self, cx: &Context<'_>, directory: &Path) -> Result<(), StepError> {
        cache::begin(cx, &self.entry)?;
        for output in &self.frontend.outputs {
            let made = self.output(cx, directory, output)?;
            if cx.host.kind(&made)?.is_none() {
                return Err(StepError::Refused {
                    what: format!("`{}` succeeded, but made no {output}", self.frontend.build),
                    help: format!(
                        "say what it makes: `frontend: [{{directory: {}, outputs: […]}}]`",
                        self.frontend.directory
                    ),
                });
            }
            copy(cx, &made, &self.stored(output))?;
        }
        cache::complete(cx, &self.entry)?;
        Ok(cache::mark_used(cx, &self.entry)?)
    }

    fn restore(&self, cx: &Context<'_>, directory: &Path) -> Result<(), StepError> {
        for output in &self.frontend.outputs {
            let into = self.output(cx, directory, output)?;
            cx.host.remove(&into)?;
            copy(cx, &self.stored(output), &into)?;
        }
        Ok(())
    }

    /// Where an output is in the release: what a tracked symlink on its way leads to is not ours to replace.
    fn output(&self, cx: &Context<'_>, directory: &Path, output: &str) -> Result<PathBuf, StepError> {
        let (top, path) = (in_release(cx, "."), below(directory, output));
        let mut above = None;
        for ancestor in path.ancestors().skip(1) {
            above = cx.host.resolve(ancestor)?;
            if above.is_some() {
                break;
            }
        }
        let real_top = cx.host.resolve(&top)?;
        match above.zip(real_top).is_some_and(|(above, top)| above.starts_with(top)) {
            true => Ok(path),
            false => Err(StepError::Refused {
                what: format!("the output {output} of {} leads out of the release", self.name()),
                help: "look for a tracked symlink on its way, or change `frontend: [{outputs: …}]`"
                    .to_owned(),
            }),
        }
    }

    fn stored(&self, output: &str) -> PathBuf {
        below(&self.entry.join("outputs"), output)
    }
}

fn copy(cx: &Context<'_>, from: &Path, to: &Path) -> HostResult<()> {
    cx.host.make_dir(to.parent().unwrap_or(to))?;
    cx.host.copy_tree(from, to, &|progress| cx.progress(progress))
}

/// Everything that could make the outputs differ, as far as the front end keeps to its directory.
fn key(cx: &Context<'_>, frontend: &Frontend) -> Result<String, StepError> {
    let path = if frontend.directory == "." { "" } else { &frontend.directory };
    let sources = cx.host.content_id(&cx.run.layout.repo(), &cx.run.revision, path)?;
    let sources = sources.ok_or_else(|| StepError::Refused {
        what: format!("the front end's directory {} is not in the revision", frontend.directory),
        help: "change `frontend: [{directory: …}]`".to_owned(),
    })?;
    let mut key = CacheKey::new(KIND, 1)
        .with("sources", sources)
        .with("install", &frontend.install)
        .with("build", &frontend.build)
        .with("node", node_version(cx)?);
    for output in &frontend.outputs {
        key = key.with("output", output);
    }
    // Bundlers put variables of the environment into what they make.
    for (name, value) in environment(cx.run).iter().filter(|(name, _)| !is_of_the_caller(name)) {
        key = key.with(name, value.reveal());
    }
    Ok(key.finish())
}

/// The app's variables without those that name the release.
fn environment(run: &Run) -> Variables {
    let mut env = run.env.clone();
    env.retain(|name, _| !OF_THE_RELEASE.contains(&name.as_str()));
    env
}

/// A hook and a terminal differ in these, and so do the paths of two releases.
fn is_of_the_caller(name: &str) -> bool {
    INHERITED.contains(&name) || ["PATH", "VIRTUAL_ENV"].contains(&name)
}

fn node_version(cx: &Context<'_>) -> Result<String, StepError> {
    let node = find(cx, "node")?;
    let mut version = String::new();
    let asked = Command::new(node, cx.run.layout.root()).args(["--version"]);
    cx.host.run(&asked, &mut |line| line.clone_into(&mut version))?;
    Ok(version)
}

fn find(cx: &Context<'_>, program: &str) -> Result<PathBuf, StepError> {
    cx.host.find_program(program).ok_or_else(|| StepError::Refused {
        what: format!("there is no {program} on this server, and the front end needs it"),
        help: match program {
            "node" | "npm" => {
                "install Node.js: `apt install nodejs npm`, or from https://nodejs.org".to_owned()
            }
            _ => format!("install it, or put it on PATH: `npm install --global {program}`"),
        },
    })
}

/// A configured command as a value; no shell reads it.
fn command(cx: &Context<'_>, words: &str, directory: &Path) -> Result<Command, StepError> {
    let mut split = shell_words::split(words).unwrap_or_default().into_iter();
    let program = split.next().ok_or_else(|| StepError::Refused {
        what: format!("`{words}` is no command"),
        help: "look at `frontend:` in release.yml".to_owned(),
    })?;
    Ok(Command::new(find(cx, &program)?, directory).args(split).env(environment(cx.run)))
}

fn explain(error: StepError) -> StepError {
    let StepError::Command { command, exit, output, help: None } = error else { return error };
    let says = |word: &str| output.iter().any(|line| line.contains(word));
    let help = if says("not found") && says("sh:") {
        Some(
            "a tool is missing: with NODE_ENV=production npm leaves out devDependencies; look at `env:` and .env",
        )
    } else if says("in sync") || says("frozen-lockfile") {
        Some(
            "the lock file does not fit package.json: run the install on your machine and commit the lock file",
        )
    } else if says("heap out of memory") {
        Some("give it more memory: `env: {NODE_OPTIONS: --max-old-space-size=2048}`")
    } else {
        None
    };
    StepError::Command { command, exit, output, help: help.map(str::to_owned) }
}
