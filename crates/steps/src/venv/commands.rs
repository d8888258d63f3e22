//! The commands that make an environment and install into it.

use std::path::Path;

use release_core::command::Command;
use release_core::config::Python;
use release_core::run::Run;

use super::Wanted;
use super::project::Source;

/// The first pip that installs from `pylock.toml`.
const PIP_WITH_PYLOCK: &str = "pip>=26.1";

/// Makes the environment and installs into it, bytecode included: the first request should not
/// wait for it. `program` is the tool's.
pub(super) fn commands(run: &Run, wanted: &Wanted, entry: &Path, program: &Path) -> Vec<Command> {
    let work = Work { run, wanted, entry, program };
    let mut commands = vec![work.environment()];
    commands.extend(work.install());
    let packages = &run.config.python.packages;
    if !packages.is_empty() {
        commands.push(work.pip_install().args(packages));
    }
    if run.no_cache {
        // Or an unpinned package would come from the tool's own cache.
        let anew = |command: Command| command.var("PIP_NO_CACHE_DIR", "1").var("UV_NO_CACHE", "1");
        commands = commands.into_iter().map(anew).collect();
    }
    commands
}

struct Work<'a> {
    run: &'a Run,
    wanted: &'a Wanted,
    entry: &'a Path,
    program: &'a Path,
}

impl Work<'_> {
    fn environment(&self) -> Command {
        let (about, entry) = (&self.wanted.interpreter.about, self.entry.display().to_string());
        match self.wanted.tool.is_uv() {
            true => self.command(self.program).args(["venv", "--python", &about.executable, &entry]),
            // Its real path: a shim would choose again, by the directory that it is called in.
            false => self.command(about.executable.as_ref()).args(["-m", "venv", &entry]),
        }
    }

    fn install(&self) -> Vec<Command> {
        let python = &self.run.config.python;
        match &self.wanted.source {
            Source::Requirements(files) => {
                vec![self.pip_install().args(files.iter().flat_map(|file| ["-r".to_owned(), file.clone()]))]
            }
            Source::Uv => vec![self.uv_sync(python)],
            Source::Poetry => vec![self.poetry_install(python)],
            Source::Pipenv => vec![self.pipenv_sync(python)],
            Source::PyLock => {
                let newer = (!self.wanted.tool.is_uv()).then(|| self.pip_install().args([PIP_WITH_PYLOCK]));
                newer.into_iter().chain([self.pip_install().args(["-r", "pylock.toml"])]).collect()
            }
            Source::Package => vec![self.pip_install().args([with_extras(python)])],
            Source::PackagesOnly => Vec::new(),
        }
    }

    /// Installs what is named after it.
    fn pip_install(&self) -> Command {
        let python = self.entry.join("bin/python");
        if self.wanted.tool.is_uv() {
            let words = ["pip", "install", "--compile-bytecode", "--python"];
            return self.command(self.program).args(words).args([python.display().to_string()]);
        }
        let words =
            ["-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--progress-bar", "off"];
        self.command(&python).args(words)
    }

    /// The project itself runs from its release: an environment that held it would be built anew
    /// for each commit, or lead into a release that is gone.
    fn uv_sync(&self, python: &Python) -> Command {
        let words =
            ["sync", "--frozen", "--no-dev", "--no-install-project", "--no-editable", "--compile-bytecode"];
        let more = options("--group", &python.groups).chain(options("--extra", &python.extras));
        let command = self.command(self.program).args(words).args(more);
        let command = command.args(["--python", &self.wanted.interpreter.about.executable]);
        command.var("UV_PROJECT_ENVIRONMENT", self.entry.display().to_string())
    }

    fn poetry_install(&self, python: &Python) -> Command {
        let groups = std::iter::once("main").chain(python.groups.iter().map(String::as_str));
        let only = groups.collect::<Vec<_>>().join(",");
        let words = ["install", "--only", &only, "--no-root", "--no-interaction", "--no-ansi", "--compile"];
        let command = self.command(self.program).args(words).args(options("--extras", &python.extras));
        // A keyring of a desktop would wait for somebody to unlock it.
        let keyring = command.var("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring");
        self.inside(keyring.var("POETRY_VIRTUALENVS_CREATE", "false"))
    }

    fn pipenv_sync(&self, python: &Python) -> Command {
        let mut command = self.command(self.program).args(["sync"]);
        if !python.groups.is_empty() {
            command =
                command.args(["--categories".to_owned(), format!("packages {}", python.groups.join(" "))]);
        }
        self.inside(command.var("PIPENV_NOSPIN", "1").var("PIPENV_VERBOSITY", "-1").var("PIPENV_YES", "1"))
    }

    /// As if the environment had been activated.
    fn inside(&self, command: Command) -> Command {
        command.var("VIRTUAL_ENV", self.entry.display().to_string())
    }

    fn command(&self, program: &Path) -> Command {
        Command::new(program, self.run.layout.app(self.run.release(), &self.run.config))
    }
}

fn with_extras(python: &Python) -> String {
    if python.extras.is_empty() { ".".to_owned() } else { format!(".[{}]", python.extras.join(",")) }
}

fn options<'a>(option: &'a str, names: &'a [String]) -> impl Iterator<Item = String> + 'a {
    names.iter().flat_map(move |name| [option.to_owned(), name.clone()])
}
