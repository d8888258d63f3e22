//! supervisord's own process: how it starts, and how it ends.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use release_core::environment::INHERITED;
use release_core::host::{Files, HostError, HostResult};
use release_core::layout::SOCKET_PATH_LIMIT;
use tokio::process::Command;

use super::install::Supervisord;
use super::rpc::RpcError;
use super::{conf, left_behind};
use crate::UnixHost;

const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(20);
/// supervisord binds `<socket>.<pid>` first.
const PID_LENGTH: usize = ".4194304".len();
/// How many lines of its log tell why it did not start.
const TAIL: usize = 8;

/// Closes every descriptor that a hook, say, was started with, and becomes supervisord: whoever
/// reads the other end would wait for ever.
const LAUNCH: &str = "\
import os, sys
for name in os.listdir('/proc/self/fd'):
    if int(name) > 2:
        try:
            os.close(int(name))
        except OSError:
            pass
os.execv(sys.argv[1], sys.argv[1:])
";

impl UnixHost {
    /// Writes what supervisord reads, and clears away what an earlier one left undone.
    pub(super) fn prepare_home(&self) -> HostResult<()> {
        check_length(&self.layout.supervisor_socket())?;
        let as_root = rustix::process::geteuid().is_root();
        let text = conf::manager(&self.layout, as_root).map_err(super::unwritable)?;
        self.make_dir(&self.layout.supervisor_programs())?;
        self.forget_all_withdrawn()?;
        self.write(&self.layout.supervisor_conf(), text.as_bytes(), 0o644)
    }

    /// Whether something runs that no supervisord answers for.
    pub(super) fn has_left_something_behind(&self) -> HostResult<bool> {
        let supervisors = left_behind::supervisors(&self.layout.supervisor_conf())?;
        Ok(!supervisors.is_empty() || !left_behind::programs(&self.layout)?.is_empty())
    }

    /// Ends the programs of a supervisord that was killed, and one that cannot be reached:
    /// what comes next needs their sockets.
    pub(super) fn end_left_behind_programs(&self) -> HostResult<()> {
        let conf = self.layout.supervisor_conf();
        self.unless_interrupted(async {
            left_behind::end("a supervisord without a socket", || left_behind::supervisors(&conf)).await?;
            left_behind::end("what supervisord left behind", || left_behind::programs(&self.layout)).await
        })
    }

    /// Starts supervisord and waits until it answers.
    pub(super) fn launch(&self, supervisord: &Supervisord) -> HostResult<()> {
        self.unless_interrupted(async {
            let output = match tokio::time::timeout(PATIENCE, self.command(supervisord).output()).await {
                Ok(Ok(output)) => output,
                Ok(Err(source)) => {
                    return Err(HostError::Spawn {
                        program: supervisord.script.display().to_string(),
                        source,
                    });
                }
                Err(_) => return Err(self.not_started("it did not become a daemon")),
            };
            if !output.status.success() {
                return Err(self.not_started(&last_words(&output)));
            }
            self.answers().await.map_err(|error| self.not_started(&error.to_string()))
        })
    }

    fn command(&self, supervisord: &Supervisord) -> Command {
        let mut command = Command::new(&supervisord.python);
        command.args(["-c", LAUNCH]).arg(&supervisord.script).arg("-c").arg(self.layout.supervisor_conf());
        command.env_clear().envs(environment()).current_dir(self.layout.supervisor());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command.process_group(0).kill_on_drop(true);
        command
    }

    async fn answers(&self) -> Result<(), RpcError> {
        let started = Instant::now();
        loop {
            match self.rpc().ping().await {
                Err(RpcError::Absent(_)) if started.elapsed() < PATIENCE => tokio::time::sleep(PAUSE).await,
                other => return other,
            }
        }
    }

    /// Waits until no supervisord of ours runs any more.
    pub(super) async fn wait_until_gone(&self, limit: Duration) -> HostResult<()> {
        let started = Instant::now();
        while !left_behind::supervisors(&self.layout.supervisor_conf())?.is_empty() {
            if started.elapsed() > limit {
                return Err(HostError::TimedOut { what: "stopping supervisord".to_owned(), limit });
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    fn not_started(&self, why: &str) -> HostError {
        let log = self.layout.supervisor_log();
        let text = self.read(&log).ok().flatten().unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        let tail = &lines[lines.len().saturating_sub(TAIL)..];
        HostError::Services {
            what: "did not start".to_owned(),
            help: Some(format!("look at its log: `tail {}`", log.display())),
            source: Some(std::iter::once(&why).chain(tail).copied().collect::<Vec<_>>().join("\n").into()),
        }
    }
}

fn check_length(socket: &Path) -> HostResult<()> {
    let limit = SOCKET_PATH_LIMIT - PID_LENGTH;
    let length = socket.as_os_str().len();
    if length <= limit {
        return Ok(());
    }
    Err(HostError::Services {
        what: format!("cannot listen on {}: {length} bytes, and {limit} are allowed", socket.display()),
        help: Some("use a root with a shorter path".to_owned()),
        source: None,
    })
}

/// What supervisord and, through it, every program begins with. Whoever deploys, it is the same.
fn environment() -> impl Iterator<Item = (&'static str, OsString)> {
    let names = INHERITED.into_iter().chain(["PATH"]);
    names.filter_map(|name| Some((name, std::env::var_os(name)?)))
}

fn last_words(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().filter(|line| !line.starts_with("For help"));
    said.map(|line| line.trim_start_matches("Error: ")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_needs_room_for_the_pid_that_supervisord_appends() {
        let socket = |length: usize| format!("/{}", "a".repeat(length - 1));
        assert!(check_length(Path::new(&socket(99))).is_ok());
        let error = check_length(Path::new(&socket(100))).unwrap_err();
        assert!(error.to_string().ends_with("100 bytes, and 99 are allowed"), "{error}");
        assert_eq!(error.help().as_deref(), Some("use a root with a shorter path"));
    }
}
