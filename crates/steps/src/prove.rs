//! Proves that the new generation's processes run from the new release alone.
//!
//! A program that was started by a path through `current`, or that holds the path of another
//! release, would answer with a mixture: its health says nothing of that, the kernel does.

use std::path::PathBuf;

use release_core::config::Handover;
use release_core::host::HostResult;
use release_core::proof::{Ground, ProcessFiles, Verdict};
use release_core::release::{Generation, ReleaseId};
use release_core::run::Run;
use release_core::service::{ProgramState, programs_of};
use release_core::step::{Context, Look, Outcome, Step, StepError, UndoPolicy};

use crate::answer::log_tail;

/// Proves that no process mixes releases.
#[derive(Clone, Copy, Debug)]
pub struct Prove;

const NOTHING: &str = "no process runs yet";

impl Step for Prove {
    fn id(&self) -> &'static str {
        "prove"
    }

    fn describe(&self, run: &Run) -> String {
        format!("prove that each process runs from {}", run.release())
    }

    fn undo_policy(&self) -> UndoPolicy {
        UndoPolicy::Nothing
    }

    fn look(&self, cx: &Context<'_>) -> Result<Look, StepError> {
        if !boots_something(cx.run) {
            return Ok(Look::Nothing(NOTHING.to_owned()));
        }
        Ok(Look::Pending(self.describe(cx.run)))
    }

    fn run(&self, cx: &Context<'_>) -> Result<Outcome, StepError> {
        if !boots_something(cx.run) {
            return Ok(Outcome::Skipped(NOTHING.to_owned()));
        }
        let states = cx.host.states()?;
        let mut proved = 0;
        for program in programs_of(&states, &cx.run.generation).filter(|program| program.state.is_alive()) {
            proved += prove(cx, program)?;
        }
        Ok(Outcome::DoneWith(match proved {
            1 => "1 process".to_owned(),
            more => format!("{more} processes"),
        }))
    }

    fn undo(&self, _: &Context<'_>) -> Result<(), StepError> {
        Ok(())
    }
}

fn boots_something(run: &Run) -> bool {
    run.config.services.iter().any(|service| service.handover != Handover::Replace)
}

/// Judges the processes of one program of the new generation, and says how many there are.
pub(crate) fn prove(cx: &Context<'_>, program: &ProgramState) -> Result<usize, StepError> {
    let service = Generation::of_program(&program.name).map_or(program.name.clone(), |(service, _)| service);
    let ground = ground(cx, cx.run.release())?;
    let processes = cx.host.family(&program.name, program.pid)?;
    for process in &processes {
        match ground.judge(process) {
            Verdict::Pure | Verdict::Elsewhere => {}
            Verdict::Unknown => cx.warn(unreadable(&service, process)),
            Verdict::Mixture(path) => {
                let error = mixture(cx, &service, &program.name, process, &path);
                let optional =
                    |known: &release_core::config::Service| known.name == service && known.optional;
                if !cx.run.config.services.iter().any(optional) {
                    return Err(error);
                }
                cx.warn(format!("{} (optional)", error.in_one_line()));
            }
        }
    }
    Ok(processes.len())
}

/// What a process of `release` may use, and what it may not.
pub(crate) fn ground(cx: &Context<'_>, release: &ReleaseId) -> HostResult<Ground> {
    let layout = &cx.run.layout;
    // The kernel tells real paths.
    let real = |path: PathBuf| Ok(cx.host.resolve(&path)?.unwrap_or(path));
    Ok(Ground {
        places: vec![real(layout.releases())?, real(layout.cache().join("venv"))?],
        own: vec![real(layout.release(release))?, real(layout.venv(release))?],
    })
}

fn unreadable(service: &str, process: &ProcessFiles) -> String {
    format!(
        "{service}: this user may not see what process {} uses, so nothing proves that it runs from the new release",
        process.pid
    )
}

fn mixture(
    cx: &Context<'_>,
    service: &str,
    program: &str,
    process: &ProcessFiles,
    path: &std::path::Path,
) -> StepError {
    StepError::Service {
        service: service.to_owned(),
        what: format!(
            "mixes releases: its process {} uses {}, which is not of {}",
            process.pid,
            path.display(),
            cx.run.release()
        ),
        output: log_tail(cx, program),
        help: Some(format!(
            "let its command name what it needs by relative paths or by $VIRTUAL_ENV, never by `current` or a \
             release: each release starts in its own directory with its own `venv/bin` on PATH; \
             `ls -l /proc/{}/cwd /proc/{0}/exe` shows where one that runs comes from",
            process.pid
        )),
    }
}
