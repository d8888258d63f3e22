//! What went wrong, as people and scripts are told.

use release_core::config::Problems;
use release_core::exit_code;
use release_core::host::{FindError, HostError};
use release_core::step::StepError;
use release_host::LockError;
use release_steps::generate::GenerateError;
use release_steps::preflight::Problem;

/// Why a command did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("release.yml is not valid:{}", listed(.0))]
    Config(Problems),
    #[error(transparent)]
    Find(#[from] FindError),
    #[error(transparent)]
    Host(#[from] HostError),
    #[error(transparent)]
    Step(#[from] StepError),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Generate(#[from] GenerateError),
    #[error("{}", numbered(.0))]
    Preflight(Vec<Problem>),
    #[error("{what}")]
    Usage { what: String, help: String },
    #[error("{what}")]
    Busy { what: String, help: String },
    #[error("{what}")]
    Failed { what: String, help: String },
    #[error("{what}")]
    Stuck { what: String, help: String },
    #[error("this is a bug: {0}")]
    Bug(String),
}

// Not `#[from]`: the problems are the message, and not its cause too.
impl From<Problems> for Error {
    fn from(problems: Problems) -> Self {
        Error::Config(problems)
    }
}

impl Error {
    /// The exit code that scripts read.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Error::Config(_) | Error::Usage { .. } | Error::Generate(_) => exit_code::USAGE,
            Error::Find(FindError::Unknown(_) | FindError::Ambiguous { .. }) => exit_code::USAGE,
            Error::Lock(LockError::Held { .. }) | Error::Busy { .. } => exit_code::LOCKED,
            Error::Stuck { .. } => exit_code::STUCK,
            Error::Bug(_) => exit_code::BUG,
            Error::Find(_) | Error::Host(_) | Error::Step(_) | Error::Lock(_) => exit_code::FAILED,
            Error::Preflight(_) | Error::Failed { .. } => exit_code::FAILED,
        }
    }

    /// What to do about it.
    pub(crate) fn help(&self) -> Option<String> {
        match self {
            Error::Find(FindError::Unknown(_)) => {
                Some("is it pushed? a branch, a tag or a sha of the repository is needed".to_owned())
            }
            Error::Find(FindError::Ambiguous { .. }) => Some("give more digits of the sha".to_owned()),
            Error::Find(FindError::Host(error)) | Error::Host(error) => error.help(),
            Error::Step(error) => error.help(),
            Error::Lock(error) => error.help(),
            Error::Generate(error) => Some(error.help().to_owned()),
            Error::Usage { help, .. }
            | Error::Busy { help, .. }
            | Error::Failed { help, .. }
            | Error::Stuck { help, .. } => Some(help.clone()),
            Error::Config(_) | Error::Preflight(_) | Error::Bug(_) => None,
        }
    }

    /// The error and its causes in one line.
    pub(crate) fn in_one_line(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(&format!(": {error}"));
            cause = error.source();
        }
        text
    }

    /// The last lines of a command that failed.
    pub(crate) fn output(&self) -> &[String] {
        match self {
            Error::Step(error) => error.output(),
            _ => &[],
        }
    }
}

fn listed(problems: &Problems) -> String {
    let mut text = String::new();
    for problem in &problems.0 {
        text.push_str(&format!("\n  - {}{}", problem.place(), problem.what));
        if let Some(help) = &problem.help {
            text.push_str(&format!("\n    help: {help}"));
        }
    }
    text
}

fn numbered(problems: &[Problem]) -> String {
    let mut text = match problems.len() {
        1 => "1 problem stands in the way:".to_owned(),
        count => format!("{count} problems stand in the way:"),
    };
    for problem in problems {
        text.push_str(&format!("\n  - {}", problem.what));
        if let Some(help) = &problem.help {
            text.push_str(&format!("\n    help: {help}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use release_core::config;

    #[test]
    fn what_is_wrong_in_a_release_yml_is_told_once_and_by_the_line() {
        let text = "app: Shop!\nkeep: 1\n";
        let problems = config::parse(Some(config::Source { name: "release.yml", text }), None).unwrap_err();
        let error = Error::from(problems);
        let told: Vec<String> = error.to_string().lines().map(str::to_owned).collect();
        assert_eq!(told[0], "release.yml is not valid:");
        assert!(told[1].starts_with("  - release.yml:1: app: "), "{told:?}");
        assert!(told[2].starts_with("    help: "), "{told:?}");
        assert!(told[3].starts_with("  - release.yml:2: keep: 1 "), "{told:?}");
        assert!(std::error::Error::source(&error).is_none(), "its cause would say it all again");
    }
}
