//! What is built for a release: its Python environment and its front ends.

use serde::{Deserialize, Serialize};

use super::{Size, paths};
use crate::command::Share;

/// The Python environment of a release.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Python {
    /// The interpreter's version, such as `3.11`; `None` for what the project asks for, else `python3`.
    pub version: Option<String>,
    /// What installs the packages.
    pub installer: Installer,
    /// Requirement files, in the order in which they are installed; `None` to look for a lock
    /// file, for `requirements.txt`, or for a project that is itself a package.
    pub requirements: Option<Vec<String>>,
    /// Further groups of a lock file.
    pub groups: Vec<String>,
    /// Extras of the project.
    pub extras: Vec<String>,
    /// Packages to install after all others: names, `git+https://…`, paths.
    pub packages: Vec<String>,
}

/// What installing and building may take of the machine, whose site goes on meanwhile.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Building {
    /// How far it stands back for others, from 1 to 19.
    pub nice: Option<u8>,
    /// How much memory each of its processes may write to.
    pub memory: Option<Size>,
}

impl Building {
    /// For people; `None` if builds may take what they like.
    pub fn told(&self) -> Option<String> {
        let nice = self.nice.map(|nice| format!("nice {nice}"));
        let memory = self.memory.map(|memory| format!("{memory} of memory for each process"));
        let limits: Vec<String> = nice.into_iter().chain(memory).collect();
        (!limits.is_empty()).then(|| format!("builds run with {}", limits.join(", and ")))
    }

    /// For the commands.
    pub fn share(&self) -> Share {
        Share { nice: self.nice, memory: self.memory.map(|memory| memory.0) }
    }
}

/// What installs the packages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Installer {
    /// What the lock file is of; else uv where it is installed, else pip.
    #[default]
    Auto,
    /// pip, from the interpreter's own `venv`.
    Pip,
    /// uv.
    Uv,
    /// Poetry, from `poetry.lock`.
    Poetry,
    /// Pipenv, from `Pipfile.lock`.
    Pipenv,
}

/// A JavaScript front end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frontend {
    /// Its directory in the repository, seen from the top; `.` for the top itself.
    pub directory: String,
    /// What installs its packages; `None` for what its lock file asks for.
    pub install: Option<String>,
    /// What builds it; `None` for the `build` script of its `package.json`.
    pub build: Option<String>,
    /// What else it is made from, seen from `directory`.
    #[serde(default)]
    pub inputs: Vec<String>,
    /// What the build makes, seen from `directory`.
    pub outputs: Vec<String>,
    /// An archive or a directory, seen from the root, that holds the outputs already;
    /// `{revision}` stands for the full sha.
    #[serde(default)]
    pub prebuilt: Option<String>,
}

impl Frontend {
    /// The usual front end in `directory`.
    pub fn usual(directory: &str) -> Self {
        Self {
            directory: directory.to_owned(),
            install: None,
            build: None,
            inputs: Vec::new(),
            outputs: vec!["dist".to_owned()],
            prebuilt: None,
        }
    }

    /// Where an input or output is, seen from the top of the release; `None` when it leads out of it.
    pub fn in_release(&self, path: &str) -> Option<String> {
        paths::normal(&format!("{}/{path}", self.directory))
    }
}
