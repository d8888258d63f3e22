//! Lets the old generation finish what it began, then ends it.

use std::path::PathBuf;
use std::time::Duration;

use release_core::config::Log;
use release_core::host::HostResult;
use release_core::release::Generation;
use release_core::run::Run;
use release_core::service::{Program, ProgramState};
use release_core::step::{Context, Look, Outcome, Step, StepError, UndoPolicy};

use crate::programs::{is_there, latest_first};
use crate::retire::{self, RETIRE, stop_generation};
use crate::shutdown::Shutdown;

/// Ends every generation but the new one.
#[derive(Clone, Copy, Debug)]
pub struct Drain;

const NOTHING: &str = "no older generation runs";

/// A proxy may have looked `current` up just before it moved, and connect only now.
const FLOOR: Duration = Duration::from_millis(50);
const POLL: Duration = Duration::from_millis(20);

/// How long a deploy waits for the old processes to end; what takes longer ends in the background.
const GRACE: Duration = Duration::from_secs(10);

/// For a service that the new release does not have any more.
const DRAIN: Duration = Duration::from_secs(10);

impl Step for Drain {
    fn id(&self) -> &'static str {
        "drain"
    }

    fn describe(&self, run: &Run) -> String {
        match &run.previous {
            Some(previous) => format!("drain {}", previous.release),
            None => "end older generations".to_owned(),
        }
    }

    fn undo_policy(&self) -> UndoPolicy {
        UndoPolicy::Cannot("the old generation has ended; `release rollback` starts it again")
    }

    fn look(&self, cx: &Context<'_>) -> Result<Look, StepError> {
        if old_generations(cx, &cx.host.states()?).is_empty() {
            return Ok(Look::Nothing(NOTHING.to_owned()));
        }
        Ok(Look::Needed(self.describe(cx.run)))
    }

    fn run(&self, cx: &Context<'_>) -> Result<Outcome, StepError> {
        let (mut warm, mut old) = (None, Vec::new());
        for generation in old_generations(cx, &retire::states(cx)?) {
            if stays_warm(cx.run, &generation) { warm = Some(generation) } else { old.push(generation) }
        }
        let mut notes = Vec::new();
        if !old.is_empty() {
            notes.push(end(cx, &old)?);
        }
        if let Some(previous) = &warm {
            cx.host.start(&[retirement(cx.run, previous, cx.run.config.warm.0)])?;
            notes.push(format!("old generation kept running for {}", cx.run.config.warm));
        }
        if notes.is_empty() {
            Ok(Outcome::Skipped(NOTHING.to_owned()))
        } else {
            Ok(Outcome::DoneWith(notes.join("; ")))
        }
    }

    fn undo(&self, _: &Context<'_>) -> Result<(), StepError> {
        Ok(())
    }
}

/// All generations that the process manager knows, but the one of this run.
fn old_generations(cx: &Context<'_>, states: &[ProgramState]) -> Vec<Generation> {
    let known = states.iter().filter_map(|state| Generation::of_program(&state.name));
    let mut old: Vec<Generation> = known
        .map(|(_, generation)| generation)
        .filter(|generation| *generation != cx.run.generation)
        .collect();
    old.sort();
    old.dedup();
    old
}

fn stays_warm(run: &Run, generation: &Generation) -> bool {
    // To an earlier generation of the same release there is no way back.
    let is_other = generation.release != *run.release();
    is_other && !run.config.warm.0.is_zero() && run.previous.as_ref() == Some(generation)
}

/// Ends the old generations: at once as far as the site can see, and what still works on a long
/// task in the background, watched by a program of the process manager.
fn end(cx: &Context<'_>, old: &[Generation]) -> Result<String, StepError> {
    let quiet = wait_until_quiet(cx, &sockets(cx, old)?)?;
    for generation in old {
        retire::keep(cx.host, generation)?;
    }
    let states = cx.host.states()?;
    let names: Vec<String> = old.iter().flat_map(|old| latest_first(cx, old, &states)).collect();
    let shutdown = Shutdown::of(cx);
    shutdown.begin_stop(&names)?;
    let mut note = match quiet {
        Some(after) => format!("old generation quiet after {:.2} s", after.as_secs_f64()),
        None => "connections to the old generation stayed open, ended all the same".to_owned(),
    };
    let busy = wait_until_ended(cx, &names)?;
    for generation in old {
        if names_of(&busy, generation).next().is_none() {
            stop_generation(&shutdown, generation)?;
        } else {
            cx.host.start(&[retirement(cx.run, generation, Duration::ZERO)])?;
        }
    }
    if !busy.is_empty() {
        note += &format!("; still finishing: {}", busy.join(", "));
    }
    Ok(note)
}

fn names_of<'a>(names: &'a [String], generation: &'a Generation) -> impl Iterator<Item = &'a String> {
    names.iter().filter(move |name| Generation::of_program(name).is_some_and(|(_, of)| of == *generation))
}

/// The programs that have not ended when the patience of a deploy is over.
fn wait_until_ended(cx: &Context<'_>, names: &[String]) -> Result<Vec<String>, StepError> {
    let mut busy = Vec::new();
    cx.wait(GRACE, POLL, || {
        let states = cx.host.states()?;
        busy = names.iter().filter(|name| is_there(&states, name)).cloned().collect();
        Ok(busy.is_empty().then_some(()))
    })?;
    Ok(busy)
}

/// Waits until nobody is connected to old `sockets`, each with the time that it may take, nor waits to be. A server that is asked
/// to end earlier drops those whom it has not accepted yet. `None` when one stayed busy for longer
/// than it may: websockets and kept-alive connections never fall quiet.
pub(crate) fn wait_until_quiet(
    cx: &Context<'_>,
    sockets: &[(PathBuf, Duration)],
) -> Result<Option<Duration>, StepError> {
    let longest = sockets.iter().map(|(_, drain)| *drain).max().unwrap_or_default();
    let start = cx.host.elapsed();
    cx.host.pause(FLOOR)?;
    let mut quiet_polls = 0;
    let quiet = cx.wait(longest, POLL, || {
        let busy = busy(cx, sockets)?;
        let waited = cx.host.elapsed() - start;
        quiet_polls = if busy.iter().any(|drain| waited < *drain) { 0 } else { quiet_polls + 1 };
        Ok((quiet_polls == 2).then(|| busy.is_empty().then_some(waited)))
    })?;
    Ok(quiet.flatten())
}

/// The sockets of `old`, each with the time that it may take to fall quiet.
fn sockets(cx: &Context<'_>, old: &[Generation]) -> HostResult<Vec<(PathBuf, Duration)>> {
    let states = cx.host.states()?;
    let known = states.iter().filter_map(|state| Generation::of_program(&state.name));
    let of_old = known.filter(|(service, generation)| service != RETIRE && old.contains(generation));
    let services = &cx.run.config.services;
    let drain =
        |name: &str| services.iter().find(|service| service.name == name).map(|service| service.drain.0);
    Ok(of_old
        .map(|(service, generation)| {
            (cx.run.layout.socket(&generation, &service), drain(&service).unwrap_or(DRAIN))
        })
        .collect())
}

/// How long each of `sockets` may take that somebody is connected to.
fn busy(cx: &Context<'_>, sockets: &[(PathBuf, Duration)]) -> HostResult<Vec<Duration>> {
    let mut busy = Vec::new();
    for (socket, drain) in sockets {
        if !cx.host.socket_use(socket)?.quiet() {
            busy.push(*drain);
        }
    }
    Ok(busy)
}

/// The program that ends a generation when its time is over, whoever is logged in then.
fn retirement(run: &Run, previous: &Generation, after: Duration) -> Program {
    let layout = &run.layout;
    let name = previous.program(RETIRE);
    let boot = previous.to_string();
    // A part of a second counts whole: never shorter than promised.
    let after = after.as_millis().div_ceil(1000).to_string();
    let root = layout.root().display().to_string();
    let words = [RETIRE, "--root", &root, "--boot", &boot, "--after", &after];
    Program {
        command: run.door.first().cloned().into_iter().chain(words.map(str::to_owned)).collect(),
        directory: layout.root().to_path_buf(),
        stop_signal: "TERM".to_owned(),
        stop_wait: Duration::from_secs(5),
        climb: Vec::new(),
        log: layout.service_log(&name),
        rotation: Log::default(),
        order: u32::MAX,
        restart: false,
        notifies: false,
        manager: run.config.manager.clone(),
        name,
    }
}
