//! The command line, as typed.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Parser, Subcommand};
use release_core::config::Wait;
use release_core::release::{Generation, ReleaseId};
use release_steps::generate::Kind;

const EXIT_CODES: &str = "\
Exit codes:
  0  done, or nothing to do
  1  our own fault (a bug)
  2  wrong usage or configuration
  3  failed, nothing changed for users
  4  failed after activate, rolled back
  5  needs a human: says what stands and what to type
  6  locked by another run";

/// Deploys releases of a web app without losing a request.
#[derive(Debug, Parser)]
#[command(name = "release", version, after_help = EXIT_CODES)]
pub(crate) struct Args {
    /// The app's deploy directory; the one you stand in by default
    #[arg(long, global = true, env = "RELEASE_ROOT", value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,
    /// Print versioned JSON, one object a line
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Build a revision and make it live
    Deploy {
        /// A full or short sha, a branch or a tag; the configured branch by default
        revision: Option<String>,
        /// Build it again even if it is live
        #[arg(long)]
        force: bool,
        /// Build environment and bundles anew, whatever the cache has; also if it is live
        #[arg(long)]
        no_cache: bool,
        /// Wait while another run holds the lock, at most so long (30m by default)
        #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true, default_missing_value = "30m", value_parser = wait)]
        wait: Option<Duration>,
        /// Where to fetch from, instead of `repository:` (the post-receive hook says it)
        #[arg(long, hide = true)]
        repository: Option<String>,
    },
    /// Make live again what served before, or the release you name
    Rollback {
        /// The release to make live; what served before by default (`release list` names them)
        id: Option<ReleaseId>,
        /// The same
        #[arg(long, value_name = "ID", conflicts_with = "id")]
        to: Option<ReleaseId>,
        /// Wait while another run holds the lock, at most so long (30m by default)
        #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true, default_missing_value = "30m", value_parser = wait)]
        wait: Option<Duration>,
    },
    /// Replace the active release's processes by new ones that follow release.yml as it is now
    Restart {
        /// What is to follow a change; all services are replaced together
        services: Vec<String>,
        /// Wait while another run holds the lock, at most so long (30m by default)
        #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true, default_missing_value = "30m", value_parser = wait)]
        wait: Option<Duration>,
    },
    /// Show what is live, what runs, and what was interrupted
    Status,
    /// List the releases
    #[command(visible_alias = "releases")]
    List,
    /// Show what the last run told, or the runs of a release
    Log {
        /// A release of `release list`; that of the last run by default
        id: Option<ReleaseId>,
        /// All that this step's commands printed: venv, frontend, migrate …
        #[arg(long)]
        step: Option<String>,
    },
    /// Show what a deploy would do, and change nothing
    Plan {
        /// A full or short sha, a branch or a tag; the configured branch by default
        revision: Option<String>,
    },
    /// Find everything that stands in the way of a deploy, and in the proxy's configuration
    #[command(visible_alias = "doctor")]
    Check,
    /// Print a file for a proxy in front of the app, or for what starts it at boot
    Generate {
        /// What the file is for
        #[arg(value_parser = kind())]
        kind: Kind,
    },
    /// Write a commented release.yml for the project you stand in
    Init,
    /// Run a command in the active release's directory and environment
    #[command(visible_alias = "run")]
    Exec {
        /// Another release than the active one
        #[arg(long, value_name = "ID")]
        release: Option<ReleaseId>,
        /// Run this service's own command (the process manager calls it so), or another one in its environment
        #[arg(long, hide = true, requires = "which")]
        service: Option<String>,
        /// Which boot of which release it is
        #[arg(long, hide = true, group = "which", conflicts_with = "release")]
        boot: Option<Generation>,
        /// The same with `--release`, in files that an older version wrote
        #[arg(long, hide = true, group = "which", requires = "release")]
        generation: Option<u32>,
        /// Which of several instances it is
        #[arg(long, hide = true, requires = "service")]
        instance: Option<u32>,
        /// Become the master of this service, which belongs to no release
        #[arg(long, hide = true, value_name = "SERVICE", conflicts_with_all = ["service", "command"])]
        standing: Option<String>,
        /// The command and its arguments
        #[arg(trailing_var_arg = true, required_unless_present_any = ["service", "standing"])]
        command: Vec<String>,
    },
    /// Remove old releases, and what only they used
    Prune {
        /// Only say what would go, and how many bytes that frees
        #[arg(long)]
        dry_run: bool,
    },
    /// Keep a release, however old it gets
    Pin {
        /// A release of `release list`; the active one by default
        id: Option<ReleaseId>,
    },
    /// Let a pinned release go when its time comes
    Unpin {
        /// The release
        id: ReleaseId,
    },
    /// Show what runs at set times: when next, and how it went last
    Cron {
        #[command(subcommand)]
        command: Option<Cron>,
    },
    /// Tidy up after a run that was killed
    Recover,
    /// Start the active release's processes
    Start,
    /// Stop every process of this root, the private supervisord too
    Stop,
    /// Deploy by `git push`
    Hook {
        #[command(subcommand)]
        command: Hook,
    },
    /// Hold a TCP port and pass its connections on to the active release
    #[command(hide = true)]
    Forward {
        #[arg(long)]
        listen: std::net::SocketAddr,
    },
    /// Stop an old generation that was kept warm
    #[command(hide = true)]
    Retire {
        #[arg(long, required_unless_present = "release")]
        boot: Option<Generation>,
        /// With `--generation`, in files that an older version wrote
        #[arg(long, requires = "generation")]
        release: Option<ReleaseId>,
        #[arg(long)]
        generation: Option<u32>,
        /// Seconds
        #[arg(long)]
        after: u64,
    },
}

/// An entry of `cron:`.
#[derive(Debug, Subcommand)]
pub(crate) enum Cron {
    /// Run an entry now, as cron would
    Run {
        /// Its name: `release cron` shows them
        name: String,
        /// The time that the crontab's line is for; the active release may have another by now
        #[arg(long, hide = true)]
        at: Option<String>,
    },
    /// Show what an entry's runs printed
    Log {
        /// Its name: `release cron` shows them
        name: String,
    },
}

/// The git hook.
#[derive(Debug, Subcommand)]
pub(crate) enum Hook {
    /// Put a post-receive hook into a bare repository
    Install {
        /// The bare repository
        repository: PathBuf,
    },
    /// What git calls
    #[command(hide = true)]
    PostReceive,
}

fn wait(text: &str) -> Result<Duration, String> {
    Wait::parse(text).map(|wait| wait.0).ok_or_else(|| "write it like 30s, 10m or 1h".to_owned())
}

fn kind() -> impl TypedValueParser<Value = Kind> {
    PossibleValuesParser::new(Kind::ALL.map(Kind::name))
        .map(|name| Kind::named(&name).expect("only these are possible"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn what_follows_exec_is_left_to_the_command_with_and_without_dashes() {
        for line in [
            "release exec python manage.py migrate --plan",
            "release exec -- python manage.py migrate --plan",
        ] {
            let args = Args::try_parse_from(line.split(' ')).unwrap();
            let Command::Exec { command, .. } = args.command else { panic!("{line}") };
            assert_eq!(command, ["python", "manage.py", "migrate", "--plan"]);
        }
        assert!(Args::try_parse_from(["release", "exec"]).is_err());
    }
}
