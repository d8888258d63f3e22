//! The programs of supervisord: how each comes and goes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use release_core::host::{Files, HostError, HostResult};
use release_core::service::Program;

use super::rpc::{Rpc, RpcError, fault};
use super::{conf, refused, unwritable};
use crate::UnixHost;
use crate::climb::Climbs;

/// What supervisord needs to kill a program whose patience is over, and to notice that.
const MARGIN: Duration = Duration::from_secs(10);
/// The patience of a program whose file somebody removed.
const UNKNOWN_PATIENCE: Duration = Duration::from_secs(600);
/// supervisord reads only what ends in `.conf`.
const WITHDRAWN: &str = "ending";
const PAUSE: Duration = Duration::from_millis(20);

/// What becomes of a program that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    Keep,
    Forget,
}

impl UnixHost {
    /// Writes the files of `programs`, or none if one cannot be written.
    pub(super) fn write_programs(&self, programs: &[Program]) -> HostResult<()> {
        let texts: Result<Vec<String>, _> = programs.iter().map(conf::program).collect();
        for (program, text) in programs.iter().zip(texts.map_err(unwritable)?) {
            if let Some(directory) = program.log.parent() {
                self.make_dir(directory)?;
            }
            self.write(&self.program_file(&program.name), text.as_bytes(), 0o644)?;
        }
        Ok(())
    }

    /// Takes a program's file away, so that no supervisord starts it again, and gives its patience.
    pub(super) fn withdraw(&self, program: &str) -> HostResult<Duration> {
        let (file, withdrawn) = (self.program_file(program), self.withdrawn_file(program));
        if self.kind(&file)?.is_some() {
            self.rename(&file, &withdrawn)?;
        }
        Ok(self.patience(&withdrawn)?.unwrap_or(UNKNOWN_PATIENCE))
    }

    /// What is left to do when a withdrawn program has ended.
    pub(super) fn forget_withdrawn(&self, program: &str) -> HostResult<()> {
        self.remove(&self.withdrawn_file(program))
    }

    /// When nothing runs, nothing can be ending.
    pub(super) fn forget_all_withdrawn(&self) -> HostResult<()> {
        let files = self.list(&self.layout.supervisor_programs())?;
        let withdrawn = |file: &&PathBuf| file.extension().is_some_and(|extension| extension == WITHDRAWN);
        files.iter().filter(withdrawn).try_for_each(|file| self.remove(file))
    }

    /// How long it takes at most until everything that there is has ended.
    pub(super) fn longest_patience(&self) -> HostResult<Duration> {
        let files = self.list(&self.layout.supervisor_programs())?;
        let patience: HostResult<Vec<_>> = files.iter().map(|file| self.patience(file)).collect();
        Ok(patience?.into_iter().flatten().max().unwrap_or_default())
    }

    /// Which further signals each withdrawn program gets while it does not end.
    pub(super) fn climbs(&self, programs: &[String]) -> HostResult<Climbs> {
        let mut climbs = Climbs::default();
        for program in programs {
            let text = self.read(&self.withdrawn_file(program))?.unwrap_or_default();
            climbs.add(program, conf::climb(&String::from_utf8_lossy(&text)));
        }
        Ok(climbs)
    }

    /// The programs by their place among the others, the last to start first.
    pub(super) fn latest_first(&self) -> HostResult<Vec<Vec<String>>> {
        let mut by_order: BTreeMap<u32, Vec<String>> = BTreeMap::new();
        for file in self.list(&self.layout.supervisor_programs())? {
            let text = self.read(&file)?.unwrap_or_default();
            let order = conf::order(&String::from_utf8_lossy(&text));
            let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            by_order.entry(order).or_default().push(name);
        }
        Ok(by_order.into_values().rev().collect())
    }

    fn patience(&self, file: &Path) -> HostResult<Option<Duration>> {
        let text = self.read(file)?.unwrap_or_default();
        Ok(conf::patience(&String::from_utf8_lossy(&text)))
    }

    fn program_file(&self, program: &str) -> PathBuf {
        self.layout.supervisor_programs().join(format!("{program}.conf"))
    }

    /// Tells a second attempt how long to wait.
    fn withdrawn_file(&self, program: &str) -> PathBuf {
        self.layout.supervisor_programs().join(format!("{program}.{WITHDRAWN}"))
    }
}

/// Makes supervisord take over and start programs whose files are written.
pub(super) async fn begin(rpc: &Rpc, programs: &[&Program]) -> HostResult<()> {
    rpc.reload().await.map_err(|error| refused("cannot read its files", error))?;
    for program in programs {
        let begun = async {
            tolerate(rpc.add(&program.name).await, &[fault::ALREADY_ADDED])?;
            if !program.restart {
                // It starts by itself; asked to start it now, supervisord could run it twice.
                return Ok(());
            }
            // So does this one, but only in a moment and without a word on what is wrong.
            tolerate(rpc.start(&program.name).await, &[fault::ALREADY_STARTED])
        };
        begun.await.map_err(|error| refused(format!("cannot start `{}`", program.name), error))?;
    }
    Ok(())
}

/// Asks a program to end, and does not wait for it.
pub(super) async fn begin_end(rpc: &Rpc, program: &str) -> HostResult<()> {
    match end_once(rpc, |name| name == program, Then::Keep).await {
        Ok(_) | Err(RpcError::Absent(_)) => Ok(()),
        Err(error) if error.is(fault::SHUTDOWN_STATE) => Ok(()),
        Err(error) => Err(refused("cannot stop what it runs", error)),
    }
}

/// Ends the programs that `chosen` picks, all at once, and waits until they have; fine when
/// there are none or no supervisord runs.
pub(super) async fn end(
    rpc: &Rpc,
    chosen: impl Fn(&str) -> bool,
    then: Then,
    patience: Duration,
) -> HostResult<()> {
    end_climbing(rpc, chosen, then, patience, Climbs::default()).await
}

/// Like [`end`]; what does not end gets its further signals when they are due.
pub(super) async fn end_climbing(
    rpc: &Rpc,
    chosen: impl Fn(&str) -> bool,
    then: Then,
    patience: Duration,
    mut climbs: Climbs,
) -> HostResult<()> {
    let (started, limit) = (Instant::now(), patience + MARGIN);
    loop {
        climb(rpc, climbs.due(started.elapsed())).await?;
        match end_once(rpc, &chosen, then).await {
            Ok(left) if left.is_empty() => return Ok(()),
            Ok(left) if started.elapsed() > limit => {
                return Err(HostError::TimedOut { what: format!("stopping {}", left.join(", ")), limit });
            }
            Err(RpcError::Absent(_)) => return Ok(()),
            // Somebody ends supervisord, which ends everything; then it is absent.
            Err(error) if error.is(fault::SHUTDOWN_STATE) && started.elapsed() <= limit => {}
            Err(error) => return Err(refused("cannot stop what it runs", error)),
            Ok(_) => {}
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Sends the signals that are due.
async fn climb(rpc: &Rpc, due: Vec<(String, String)>) -> HostResult<()> {
    for (program, signal) in due {
        let sent = rpc.signal(&program, &signal).await;
        match tolerate(sent, &[fault::NOT_RUNNING, fault::BAD_NAME, fault::SHUTDOWN_STATE]) {
            Ok(()) | Err(RpcError::Absent(_)) => {}
            Err(error) => return Err(refused(format!("cannot signal `{program}`"), error)),
        }
    }
    Ok(())
}

/// Goes once through the chosen programs and gives those that are still there. What has exited
/// may be started again before it is removed, and is asked again next time.
async fn end_once(rpc: &Rpc, chosen: impl Fn(&str) -> bool, then: Then) -> Result<Vec<String>, RpcError> {
    let mut left = Vec::new();
    for process in rpc.processes().await?.into_iter().filter(|process| chosen(&process.name)) {
        if process.state.is_wanted() {
            tolerate(rpc.stop(&process.name).await, &[fault::NOT_RUNNING, fault::FAILED, fault::BAD_NAME])?;
        } else if process.state.is_at_rest() && (then == Then::Keep || remove(rpc, &process.name).await?) {
            continue;
        }
        left.push(process.name);
    }
    Ok(left)
}

/// Whether supervisord does not know the program any more.
async fn remove(rpc: &Rpc, program: &str) -> Result<bool, RpcError> {
    match rpc.remove(program).await {
        Err(error) if error.is(fault::STILL_RUNNING) => Ok(false),
        other => tolerate(other, &[fault::BAD_NAME]).map(|()| true),
    }
}

fn tolerate(result: Result<(), RpcError>, faults: &[i32]) -> Result<(), RpcError> {
    match result {
        Err(error) if faults.iter().any(|fault| error.is(*fault)) => Ok(()),
        other => other,
    }
}
