//! One front end: its key, its build, and its bundle on the way into the release.

use std::path::{Path, PathBuf};

use release_core::command::{Command, Secret};
use release_core::config::Frontend;
use release_core::host::HostResult;
use release_core::step::{Context, StepError};

use super::KIND;
use super::key::{environment, key};
use super::manager::{Called, Manager, find};
use super::packages::{self, Packages};
use crate::cache::{Build, Provided};
use crate::killed::explain_killed;
use crate::place::{below, in_release};

/// A front end, and what its bundle is made of.
pub(super) struct Bundle {
    frontend: Frontend,
    manager: Option<Manager>,
    /// What is installed for it, where that depends on nothing else than what can be known.
    packages: Option<Packages>,
    pub(super) build: Build,
}

impl Bundle {
    pub(super) fn new(cx: &Context<'_>, frontend: Frontend) -> Result<Self, StepError> {
        let manager = Manager::by_lock(cx, &frontend.directory)?;
        let key = key(cx, &frontend, manager.as_ref())?;
        let build = Build { kind: KIND, of: frontend.directory.clone(), key };
        let packages = packages::build(cx, &frontend, manager.as_ref())?;
        Ok(Self { frontend, manager, packages, build })
    }

    /// Sees to it that the outputs are in the release, and says how.
    pub(super) fn provide(&self, cx: &Context<'_>) -> Result<&'static str, StepError> {
        let directory = directory(cx, &self.frontend)?;
        let Provided { entry, cached } = self.build.provide(cx, |entry| {
            self.run(cx, &directory)?;
            self.store(cx, entry)
        })?;
        if cached {
            // The next bundle needs them.
            self.packages.iter().try_for_each(|packages| packages.keep(cx))?;
            self.restore(cx, &entry)?;
            return Ok("from the cache");
        }
        cx.host.remove(&directory.join("node_modules"))?;
        Ok("built")
    }

    /// Installs what the front end needs, and builds it.
    fn run(&self, cx: &Context<'_>, directory: &Path) -> Result<(), StepError> {
        let called = self.called(cx, directory)?;
        let command = |words: Vec<String>| command(cx, &words, directory, called.as_ref());
        let run = |command: Command| {
            let limited = command.share(cx.run.config.build.share());
            cx.run(&limited).map_err(|error| explain_killed(cx.run, error, explain_output))
        };
        let [install, build] = self.words();
        let install = command(install?)?;
        match &self.packages {
            Some(packages) => packages.provide(cx, directory, || run(install))?,
            None => run(install)?,
        }
        // A variable that only this caller's shell has is in no key.
        run(command(build?)?.with_network())
    }

    /// Why it has to be built, and whether its packages have to be installed for that.
    pub(super) fn why_needed(&self, cx: &Context<'_>) -> HostResult<String> {
        let why = self.build.why_needed(cx)?;
        let packages = self.packages.as_ref().map(|packages| packages.outlook(cx)).transpose()?;
        Ok(match packages {
            Some(packages) if packages == why => format!("{why} (its packages, too)"),
            Some(packages) => format!("{why} (its packages: {packages})"),
            None => why,
        })
    }

    /// The programs that the build begins with have to be there, or can be brought along.
    pub(super) fn check_programs(&self, cx: &Context<'_>) -> Result<(), StepError> {
        for words in self.words() {
            let program = words?.remove(0);
            // A path is looked for in the front end's directory, which is not checked out yet.
            if program.contains('/') || cx.host.find_program(&program).is_some() {
                continue;
            }
            let manager = self.manager.as_ref().filter(|manager| manager.program() == program);
            find(cx, if manager.is_some() { "npm" } else { &program })?;
        }
        Ok(())
    }

    /// The two commands, each as its words, of which there is at least one.
    fn words(&self) -> [Result<Vec<String>, StepError>; 2] {
        let (install, build) = words(&self.frontend, self.manager.as_ref());
        [install, build].map(|command| {
            let split = shell_words::split(command).unwrap_or_default();
            if split.is_empty() { Err(no_command(command)) } else { Ok(split) }
        })
    }

    /// The package manager's program, where a command calls it.
    fn called(
        &self,
        cx: &Context<'_>,
        directory: &Path,
    ) -> Result<Option<(&'static str, Called)>, StepError> {
        let Some(manager) = &self.manager else { return Ok(None) };
        let mut words = self.words().into_iter();
        if !words.any(|words| words.is_ok_and(|words| words[0] == manager.program())) {
            return Ok(None);
        }
        Ok(manager.called(cx, directory)?.map(|called| (manager.program(), called)))
    }

    fn store(&self, cx: &Context<'_>, entry: &Path) -> Result<(), StepError> {
        for output in &self.frontend.outputs {
            let (made, stored) = self.places(cx, entry, output)?;
            if cx.host.kind(&made)?.is_none() {
                let directory = &self.frontend.directory;
                return Err(StepError::Refused {
                    what: format!(
                        "`{}` succeeded, but made no {output}",
                        words(&self.frontend, self.manager.as_ref()).1
                    ),
                    help: format!("say what it makes in {directory}: `frontend: [{{outputs: […], …}}]`"),
                });
            }
            copy(cx, &made, &stored)?;
        }
        Ok(())
    }

    fn restore(&self, cx: &Context<'_>, entry: &Path) -> Result<(), StepError> {
        for output in &self.frontend.outputs {
            let (into, stored) = self.places(cx, entry, output)?;
            cx.host.remove(&into)?;
            copy(cx, &stored, &into)?;
        }
        Ok(())
    }

    /// Where an output is in the release, and in the cache.
    fn places(&self, cx: &Context<'_>, entry: &Path, output: &str) -> Result<(PathBuf, PathBuf), StepError> {
        let path = self.frontend.in_release(output).ok_or_else(|| leads_out(output))?;
        let made = in_release(cx, &path);
        let top = cx.host.resolve(&in_release(cx, "."))?;
        // What a tracked symlink on its way leads to is not ours to replace.
        let mut above = None;
        for ancestor in made.ancestors().skip(1) {
            above = cx.host.resolve(ancestor)?;
            if above.is_some() {
                break;
            }
        }
        if !above.zip(top).is_some_and(|(above, top)| above.starts_with(top)) {
            return Err(leads_out(output));
        }
        Ok((made, below(&entry.join("outputs"), &path)))
    }
}

/// The front end's directory. A tracked symlink could lead the build out of the release.
pub(super) fn directory(cx: &Context<'_>, frontend: &Frontend) -> Result<PathBuf, StepError> {
    let (top, directory) = (in_release(cx, "."), in_release(cx, &frontend.directory));
    let name = &frontend.directory;
    let refused =
        |what: String| StepError::Refused { what, help: "change `frontend: [{directory: …}]`".to_owned() };
    let real = cx.host.resolve(&directory)?;
    let real =
        real.ok_or_else(|| refused(format!("the front end's directory {name} is not in the revision")))?;
    match cx.host.resolve(&top)?.is_some_and(|top| real.starts_with(top)) {
        true => Ok(directory),
        false => Err(refused(format!("the front end's directory {name} leads out of the release"))),
    }
}

fn leads_out(output: &str) -> StepError {
    StepError::Refused {
        what: format!("the front end's output {output} leads out of the release"),
        help: "look for a tracked symlink on its way, or change `frontend: [{outputs: …}]`".to_owned(),
    }
}

pub(super) fn copy(cx: &Context<'_>, from: &Path, to: &Path) -> HostResult<()> {
    cx.host.make_dir(to.parent().unwrap_or(to))?;
    cx.host.copy_tree(from, to, &|progress| cx.progress(progress))
}

/// What installs and what builds.
pub(super) fn words<'a>(frontend: &'a Frontend, manager: Option<&Manager>) -> (&'a str, &'a str) {
    let install = manager.map_or("npm install", Manager::install);
    let build = manager.map_or("npm run build", Manager::build);
    (frontend.install.as_deref().unwrap_or(install), frontend.build.as_deref().unwrap_or(build))
}

fn no_command(words: &str) -> StepError {
    StepError::Refused {
        what: format!("`{words}` is no command"),
        help: "look at `frontend:` in release.yml".to_owned(),
    }
}

/// A command as a value; no shell reads it.
fn command(
    cx: &Context<'_>,
    words: &[String],
    directory: &Path,
    manager: Option<&(&'static str, Called)>,
) -> Result<Command, StepError> {
    let mut env = environment(cx.run);
    if let Some((_, Called { path: Some(path), .. })) = manager {
        let rest = env.get("PATH").map(Secret::reveal).unwrap_or_default();
        let path = format!("{}:{rest}", path.display());
        env.insert("PATH".to_owned(), Secret::new(path));
    }
    let command = match manager.filter(|(name, _)| *name == words[0]) {
        Some((_, called)) => Command::new(&called.program, directory).args(called.args.clone()),
        None => Command::new(find(cx, &words[0])?, directory),
    };
    Ok(command.args(&words[1..]).env(env))
}

fn explain_output(error: StepError) -> StepError {
    let StepError::Command { command, exit, output, help: None } = error else { return error };
    let says = |word: &str| output.iter().any(|line| line.contains(word));
    let help = if says("not found") && says("sh:") {
        Some(
            "a tool is missing: with NODE_ENV=production npm leaves out devDependencies; look at `env:` and .env",
        )
    } else if says("in sync") || says("frozen-lockfile") || says("YN0028") {
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
