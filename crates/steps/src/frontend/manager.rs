//! The package manager of a front end: which one, and where its program is.

use std::path::{Path, PathBuf};
use std::time::Duration;

use release_core::command::Command;
use release_core::host::HostResult;
use release_core::step::{Context, StepError};

use super::detect::{file, package};
use crate::toolbox::{self, Package};

/// A package manager, as a front end's lock file and `package.json` ask for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Manager {
    kind: Kind,
    /// The lock file.
    pub(super) lock: &'static str,
    /// The version to bring along where the server has none that fits.
    version: String,
    /// The release of yarn that the project brings itself.
    own: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Npm,
    Yarn,
    Berry,
    Pnpm,
}

/// How a manager is called.
pub(super) struct Called {
    pub(super) program: PathBuf,
    /// Arguments that come before all others.
    pub(super) args: Vec<String>,
    /// A directory for `PATH`: scripts call their manager too.
    pub(super) path: Option<PathBuf>,
}

const LOCKS: [(&str, Kind); 4] = [
    ("package-lock.json", Kind::Npm),
    ("npm-shrinkwrap.json", Kind::Npm),
    ("pnpm-lock.yaml", Kind::Pnpm),
    ("yarn.lock", Kind::Yarn),
];

impl Manager {
    /// The manager of the lock file in `directory`; `None` without one.
    pub(super) fn by_lock(cx: &Context<'_>, directory: &str) -> HostResult<Option<Self>> {
        let mut found = Vec::new();
        for (lock, kind) in LOCKS {
            if let Some(text) = file(cx, directory, lock)? {
                let text = String::from_utf8_lossy(&text).into_owned();
                // Berry kept the name of yarn's lock file, and changed all that is in it.
                let is_berry = kind == Kind::Yarn && text.contains("\n__metadata:");
                found.push((lock, if is_berry { Kind::Berry } else { kind }, text));
            }
        }
        let named = named_by_package(cx, directory)?;
        let is_named = |kind: Kind| named.as_ref().is_some_and(|(name, _)| name == kind.program());
        let chosen = found.iter().find(|(_, kind, _)| is_named(*kind)).or(found.first());
        let Some((lock, kind, text)) = chosen else { return Ok(None) };
        let own = if *kind == Kind::Berry { own_yarn(cx, directory)? } else { None };
        let version = named.filter(|(name, version)| name == kind.program() && kind.has(version));
        let version = version.map_or_else(|| kind.usual_version(text).to_owned(), |(_, version)| version);
        Ok(Some(Self { kind: *kind, lock, version, own }))
    }

    /// What installs exactly what the lock file says.
    pub(super) fn install(&self) -> &'static str {
        match self.kind {
            Kind::Npm => "npm ci",
            Kind::Yarn => "yarn install --frozen-lockfile --non-interactive",
            Kind::Berry => "yarn install --immutable",
            Kind::Pnpm => "pnpm install --frozen-lockfile",
        }
    }

    /// What runs the `build` script.
    pub(super) fn build(&self) -> &'static str {
        match self.kind {
            Kind::Npm => "npm run build",
            Kind::Yarn | Kind::Berry => "yarn run build",
            Kind::Pnpm => "pnpm run build",
        }
    }

    /// Whether all that it installs lies in `node_modules`: Berry may put it anywhere.
    pub(super) fn fills_node_modules(&self) -> bool {
        self.kind != Kind::Berry
    }

    /// The name of its program.
    pub(super) fn program(&self) -> &'static str {
        self.kind.program()
    }

    /// What people and the cache key know of it. npm is node's own.
    pub(super) fn name(&self) -> String {
        match self.kind {
            Kind::Npm => "npm".to_owned(),
            _ => format!("{} {}", self.program(), self.version),
        }
    }

    /// Finds its program in the front end at `directory`, or brings one along; `None` for npm,
    /// which is wherever node is.
    pub(super) fn called(&self, cx: &Context<'_>, directory: &Path) -> Result<Option<Called>, StepError> {
        let Some(package) = self.package() else { return Ok(None) };
        if let Some(own) = &self.own {
            let args = vec![directory.join(own).display().to_string()];
            return Ok(Some(Called { program: find(cx, "node")?, args, path: None }));
        }
        if let Some(program) = self.on_path(cx, directory)? {
            return Ok(Some(Called { program, args: Vec::new(), path: None }));
        }
        let program = toolbox::from_npm(cx, &find(cx, "npm")?, &package)?;
        let path = program.parent().map(Path::to_owned);
        Ok(Some(Called { program, args: Vec::new(), path }))
    }

    /// The server's own one, if it is of the same major version. A shim that would have to
    /// download it does not answer, and is as good as none.
    fn on_path(&self, cx: &Context<'_>, directory: &Path) -> HostResult<Option<PathBuf>> {
        let Some(program) = cx.host.find_program(self.program()) else { return Ok(None) };
        let asked = Command::new(&program, directory)
            .args(["--version"])
            .var("COREPACK_ENABLE_DOWNLOAD_PROMPT", "0")
            .var("COREPACK_ENABLE_NETWORK", "0")
            .limit(Duration::from_secs(60));
        let (exit, lines) = cx.host.inquire(&asked)?;
        let version = lines.last().map_or("", String::as_str);
        let fits = exit.success() && major(version) == major(&self.version);
        Ok(fits.then_some(program))
    }

    fn package(&self) -> Option<Package<'_>> {
        let name = match self.kind {
            Kind::Npm => return None,
            Kind::Yarn => "yarn",
            Kind::Berry => "@yarnpkg/cli-dist",
            Kind::Pnpm => "pnpm",
        };
        Some(Package { name, version: &self.version, program: self.program() })
    }
}

impl Kind {
    fn program(self) -> &'static str {
        match self {
            Kind::Npm => "npm",
            Kind::Yarn | Kind::Berry => "yarn",
            Kind::Pnpm => "pnpm",
        }
    }

    /// Whether a version is one of this kind: yarn is two programs of one name.
    fn has(self, version: &str) -> bool {
        match self {
            Kind::Npm | Kind::Pnpm => major(version).is_some(),
            Kind::Yarn => major(version) == Some(1),
            Kind::Berry => major(version) > Some(1),
        }
    }

    /// A version that reads this lock file.
    fn usual_version(self, lock: &str) -> &'static str {
        match self {
            Kind::Npm => "",
            Kind::Yarn => "1.22.22",
            Kind::Berry => "4.18.1",
            Kind::Pnpm => match lock_version(lock) {
                0..=5 => "7.33.7",
                6 => "8.15.9",
                _ => "10.34.9",
            },
        }
    }
}

/// The `packageManager` of `package.json`: name and version, without its hash.
fn named_by_package(cx: &Context<'_>, directory: &str) -> HostResult<Option<(String, String)>> {
    let package = package(cx, directory)?.unwrap_or_default();
    let named = package["packageManager"].as_str().and_then(|named| named.split_once('@'));
    Ok(named
        .map(|(name, version)| (name.to_owned(), version.split('+').next().unwrap_or_default().to_owned())))
}

/// The `yarnPath` of `.yarnrc.yml`, if the repository has that file.
fn own_yarn(cx: &Context<'_>, directory: &str) -> HostResult<Option<String>> {
    let settings = file(cx, directory, ".yarnrc.yml")?.unwrap_or_default();
    let settings = String::from_utf8_lossy(&settings).into_owned();
    let path = settings.lines().find_map(|line| line.strip_prefix("yarnPath:"));
    let path = path.map(|path| path.trim().trim_matches(['"', '\'']).trim_start_matches("./").to_owned());
    let Some(path) = path else { return Ok(None) };
    Ok(file(cx, directory, &path)?.map(|_| path))
}

/// The major version of `lockfileVersion: '9.0'`.
fn lock_version(lock: &str) -> u32 {
    let version = lock.lines().find_map(|line| line.strip_prefix("lockfileVersion:")).unwrap_or_default();
    major(version.trim().trim_matches(['"', '\''])).unwrap_or(u32::MAX)
}

fn major(version: &str) -> Option<u32> {
    version.trim().split('.').next()?.parse().ok()
}

/// A program of the server.
pub(super) fn find(cx: &Context<'_>, program: &str) -> Result<PathBuf, StepError> {
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
