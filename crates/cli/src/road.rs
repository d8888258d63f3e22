//! The road that a deploy, a rollback and a restart share: begin, run the plan, end, and say what stands now.

use std::time::{Duration, Instant};

use release_core::command::Variables;
use release_core::config::Config;
use release_core::environment;
use release_core::event::{Event, Observer, Outcome};
use release_core::exit_code;
use release_core::host::{Clock, Processes};
use release_core::journal::{End, Entry, Journal};
use release_core::layout::Layout;
use release_core::pipeline::{Ended, Failure, Pipeline};
use release_core::plan::Plan;
use release_core::redact::Redactor;
use release_core::release::Generation;
use release_core::revision::Revision;
use release_core::run::{Action, Run, RunId};
use release_core::state::State;
use release_core::step::{Context, StepError};
use release_host::{Holder, JournalFile, Lock, LockError};
use release_steps::preflight::{self, Problem};
use release_steps::recipe;

use crate::error::Error;
use crate::output::{Both, LogFile, Screen, Silent, explanation};
use crate::own_path;
use crate::site::{Site, caller};

/// What a run is about, before it has a name.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) action: Action,
    pub(crate) generation: Generation,
    pub(crate) revision: Revision,
    pub(crate) config: Config,
}

/// The facts of a run to `target`.
pub(crate) fn run(site: &Site, layout: Layout, state: &State, target: Target) -> Result<Run, Error> {
    let env_file = site.env_file(&target.config)?;
    draft(site, layout, state, target, &env_file)
}

/// Like [`run`], with these variables for the app.
pub(crate) fn draft(
    site: &Site,
    layout: Layout,
    state: &State,
    target: Target,
    env_file: &Variables,
) -> Result<Run, Error> {
    let Target { action, generation, revision, config } = target;
    let previous = site.serving(state)?;
    let (release, cores) = (&generation.release, site.host.cores());
    let env = environment::of_release(&layout, release, &revision, &config, env_file, &caller(), cores);
    Ok(Run {
        id: RunId(format!("{}-{}", site.host.now().as_millisecond(), std::process::id())),
        action,
        redactor: Redactor::new(&env),
        stand_in: previous.as_ref().map(|previous| stand_in(state, previous, &generation)),
        previous,
        cores,
        no_cache: false,
        good: state.good(),
        served: state.served(),
        door: door(&layout)?,
        generation,
        revision,
        config,
        layout,
        env,
    })
}

/// A generation of the release that serves which nobody else is.
fn stand_in(state: &State, previous: &Generation, target: &Generation) -> Generation {
    let mut next = state.next_generation(&previous.release);
    if next == *target {
        next.number += 1;
    }
    next
}

/// How the process manager calls us: `release exec --root …`.
pub(crate) fn door(layout: &Layout) -> Result<Vec<String>, Error> {
    let own = own_path::find()?;
    let root = layout.root().display().to_string();
    Ok(vec![own.display().to_string(), "exec".to_owned(), "--root".to_owned(), root])
}

/// Everything that stands in the way of a run to `target`.
pub(crate) fn problems(
    site: &Site,
    layout: &Layout,
    state: &State,
    target: &Target,
) -> Result<Vec<Problem>, Error> {
    // A broken env file is one problem of several: it must not hide the others.
    let run = &draft(site, layout.clone(), state, target.clone(), &Variables::new())?;
    let cx = Context { host: &site.host, run, observer: &Silent, step: "preflight" };
    let mut problems = preflight::problems(&site.host, &run.layout, &run.config);
    problems.extend(preflight::builder_problems(&cx));
    Ok(problems)
}

/// Takes the lock, waiting for it at most `wait`.
pub(crate) fn lock(
    site: &Site,
    screen: &Screen,
    action: &str,
    revision: Option<&str>,
    wait: Option<Duration>,
) -> Result<Lock, Error> {
    let holder = Holder {
        pid: std::process::id(),
        user: user(),
        since: site.host.now(),
        action: action.to_owned(),
        revision: revision.map(str::to_owned),
        step: None,
    };
    match wait {
        None => Ok(Lock::acquire(&site.layout, &holder)?),
        Some(limit) => {
            if let Err(LockError::Held { holder: Some(holder) }) = Lock::probe(&site.layout) {
                screen.say(&format!("waiting: locked by {holder}"));
            }
            Ok(Lock::wait(&site.layout, &holder, limit, &site.host)?)
        }
    }
}

/// Who asks, for people.
fn user() -> String {
    let named = ["SUDO_USER", "USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
    named.unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()))
}

/// The list of steps of a kind of run.
pub(crate) fn plan(action: Action) -> Plan {
    match action {
        Action::Deploy => recipe::deploy(),
        Action::Rollback => recipe::rollback(),
        Action::Restart => recipe::restart(),
    }
}

/// Carries out a run that was not begun yet, and gives the exit code.
pub(crate) fn carry_out(
    site: &mut Site,
    lock: &Lock,
    screen: &Screen,
    run: &Run,
    started: Instant,
) -> Result<u8, Error> {
    site.host.begin(run.id.clone());
    lock.revision(&run.revision);
    let journal = JournalFile::open(&site.layout)?;
    let log = LogFile::new(&run.layout, run.release());
    let told = Both(screen, &log);
    let holder = LockedStep(lock);
    let observer = Both(&told, &holder);
    let begin = Entry::Begin {
        action: run.action,
        generation: run.generation.clone(),
        revision: run.revision.clone(),
        previous: run.previous.clone(),
        stand_in: run.stand_in.clone(),
        by: user(),
    };
    journal.append(&run.id, begin)?;
    let (release, revision) = (run.release().clone(), run.revision.clone());
    observer.observe(&Event::Started { action: run.action, release, revision });
    let pipeline = Pipeline { host: &site.host, run, observer: &observer, journal: &journal };
    let ended = pipeline.run(&plan(run.action));
    finish(site, screen, &observer, &journal, run, ended, started)
}

/// Goes on with a run that was killed. True if all is in order afterwards.
pub(crate) fn resume(
    site: &mut Site,
    screen: &Screen,
    run: &Run,
    state: &State,
    active: bool,
) -> Result<u8, Error> {
    let started = Instant::now();
    let Some(interrupted) = &state.interrupted else { return Ok(exit_code::DONE) };
    // If this is killed too, what it started is found by the same name.
    site.host.begin(run.id.clone());
    let journal = JournalFile::open(&site.layout)?;
    let log = LogFile::new(&run.layout, run.release());
    let observer = Both(screen, &log);
    let pipeline = Pipeline { host: &site.host, run, observer: &observer, journal: &journal };
    let ended = pipeline.resume(&plan(run.action), interrupted, active);
    finish(site, screen, &observer, &journal, run, ended, started)
}

/// Tells the lock's file which step is under way, for whoever finds it held.
struct LockedStep<'a>(&'a Lock);

impl Observer for LockedStep<'_> {
    fn observe(&self, event: &Event) {
        if let Event::StepStarted { step, .. } = event {
            self.0.step(step);
        }
    }
}

fn finish(
    site: &Site,
    screen: &Screen,
    observer: &dyn Observer,
    journal: &dyn Journal,
    run: &Run,
    ended: Ended,
    started: Instant,
) -> Result<u8, Error> {
    let (outcome, end, code) = verdict(run.action, &ended);
    if let Some(end) = end {
        let note =
            failure(&ended).map(|failure| format!("{}: {}", failure.step, failure.error.in_one_line()));
        // What stands, stands: a full disk changes nothing of that, and the next run writes this down.
        if let Err(error) = journal.append(&run.id, Entry::End { outcome: end, note }) {
            let text = format!("the end cannot be recorded: {}", StepError::from(error).in_one_line());
            observer.observe(&Event::Warning { text });
        }
    }
    observer.observe(&Event::Finished {
        outcome,
        release: run.release().clone(),
        revision: run.revision.clone(),
        seconds: started.elapsed().as_secs_f64(),
    });
    explain(site, screen, run, &ended)?;
    Ok(code)
}

/// What people, the journal and scripts are told of an end.
fn verdict(action: Action, ended: &Ended) -> (Outcome, Option<End>, u8) {
    let done = match action {
        Action::Deploy => Outcome::Deployed,
        Action::Rollback => Outcome::RolledBack,
        Action::Restart => Outcome::Restarted,
    };
    match ended {
        Ended::Completed => (done, Some(End::Activated), exit_code::DONE),
        Ended::Undone { after_activate: false, .. } => {
            (Outcome::Failed, Some(End::Undone), exit_code::FAILED)
        }
        Ended::Undone { after_activate: true, .. } => {
            (Outcome::RolledBack, Some(End::FlippedBack), exit_code::ROLLED_BACK)
        }
        Ended::Recovered { after_activate: false } => (Outcome::Failed, Some(End::Undone), exit_code::DONE),
        Ended::Recovered { after_activate: true } => {
            (Outcome::RolledBack, Some(End::FlippedBack), exit_code::DONE)
        }
        Ended::Stuck { .. } => (Outcome::Stuck, None, exit_code::STUCK),
    }
}

fn failure(ended: &Ended) -> Option<&Failure> {
    match ended {
        Ended::Undone { failure, .. } => Some(failure),
        Ended::Stuck { failure, undo, .. } => Some(failure.as_ref().unwrap_or(undo)),
        Ended::Completed | Ended::Recovered { .. } => None,
    }
}

fn explain(site: &Site, screen: &Screen, run: &Run, ended: &Ended) -> Result<(), Error> {
    let log = LogFile::new(&run.layout, run.release());
    for text in explanations(run, ended) {
        screen.explain(&text);
        log.explain(&text);
    }
    if !matches!(ended, Ended::Completed) || run.action == Action::Rollback {
        screen.say(&match (site.current()?, site.foreign_current()?) {
            (Some(current), _) => format!("{current} is live"),
            (None, Some(foreign)) => format!("current points at {foreign}"),
            (None, None) => "nothing is live".to_owned(),
        });
    }
    Ok(())
}

/// What failed and why, and what could not be undone.
fn explanations(run: &Run, ended: &Ended) -> Vec<String> {
    let mut texts = Vec::new();
    if let Some(Failure { step, error }) = failure(ended) {
        let log = run.layout.run_log(run.release());
        let help = error.help().unwrap_or_else(|| format!("the whole log: `less {}`", log.display()));
        texts.push(explanation(&format!("{step}: "), error, error.output(), Some(help)));
    }
    if let Ended::Stuck { undo: Failure { step, error }, remaining, .. } = ended {
        let root = run.layout.root().display();
        let help = format!(
            "mend that, then `release recover --root {root}` goes on; still standing: {}",
            remaining.join(", ")
        );
        texts.push(explanation(&format!("{step} could not be undone: "), error, error.output(), Some(help)));
    }
    texts
}
