//! `release plan`: what a deploy would do and why, from true reads. It changes nothing.

use release_core::config::Building;
use release_core::exit_code;
use release_core::host::{Clock, Git};
use release_core::layout::Layout;
use release_core::release::{Generation, ReleaseId};
use release_core::revision::Revision;
use release_core::run::{Action, Run};
use release_core::step::{Context, Look, Step, UndoPolicy};
use serde::Serialize;

use crate::commands::deploy::no_repository;
use crate::error::Error;
use crate::output::{Screen, Silent};
use crate::road::{self, Target};
use crate::site::Site;

/// A look at the repository as it is now, without touching our mirror of it.
pub(crate) struct Preview {
    pub(crate) layout: Layout,
    _copy: tempfile::TempDir,
}

impl Preview {
    /// Fetches `repository` to a place that goes away again.
    pub(crate) fn open(site: &Site, repository: &str) -> Result<Self, Error> {
        let copy = tempfile::tempdir().map_err(|source| Error::Failed {
            what: format!("cannot make a temporary directory: {source}"),
            help: "free some space in $TMPDIR, or set it elsewhere".to_owned(),
        })?;
        let mirror = copy.path().join("repo");
        site.host.fetch_beside(&mirror, &site.layout.repo(), repository)?;
        Ok(Self { layout: site.layout.clone().reading_from(mirror), _copy: copy })
    }
}

#[derive(Serialize)]
struct Facts {
    revision: Revision,
    subject: String,
    live: bool,
    steps: Vec<StepFacts>,
    build: Building,
    problems: Vec<String>,
}

#[derive(Serialize)]
struct StepFacts {
    step: &'static str,
    describe: String,
    state: &'static str,
    why: String,
    undo: String,
}

/// Shows the plan for `name`, or for the configured branch.
pub(crate) fn run(site: &Site, screen: &Screen, name: Option<String>) -> Result<u8, Error> {
    let origin = site.origin()?;
    let repository = origin.repository.ok_or_else(no_repository)?;
    let preview = Preview::open(site, &repository)?;
    let name = name.or(origin.branch).unwrap_or_else(|| "main".to_owned());
    let revision = site.host.find(&preview.layout.repo(), &name)?;
    let state = site.state()?;
    let config = site.config(&preview.layout, &revision)?;
    let release = ReleaseId::new(site.host.now(), &revision, state.known().cloned());
    let live = site.current()?.is_some_and(|current| state.revision(&current) == Some(&revision));
    let subject = site.host.subject(&preview.layout.repo(), &revision)?;
    let generation = Generation { release, number: 1 };
    let target = Target { action: Action::Deploy, generation, revision: revision.clone(), config };
    let problems = road::problems(site, &preview.layout, &state, &target)?;
    let mut problems: Vec<String> = problems.into_iter().map(|problem| problem.what).collect();
    // What is wrong with the env file is among the problems.
    let env_file = site.readable_env_file(&target.config);
    let run = road::draft(site, preview.layout.clone(), &state, target, &env_file)?;
    let steps = steps(site, &run, &mut problems);
    let facts = Facts { revision, subject, live, steps, build: run.config.build.clone(), problems };
    screen.facts(&facts, || text(&facts));
    Ok(exit_code::DONE)
}

/// A step that cannot look says so, which is a problem too where there is no other to explain it.
fn steps(site: &Site, run: &Run, problems: &mut Vec<String>) -> Vec<StepFacts> {
    let plan = road::plan(Action::Deploy);
    let looks: Vec<_> = plan.steps().map(|step| (step, look(site, run, step))).collect();
    if problems.is_empty() {
        problems.extend(looks.iter().filter_map(|(_, look)| look.as_ref().err()).cloned());
    }
    looks.into_iter().map(|(step, look)| facts(run, step, look)).collect()
}

fn look(site: &Site, run: &Run, step: &dyn Step) -> Result<Look, String> {
    let cx = Context { host: &site.host, run, observer: &Silent, step: step.id() };
    step.look(&cx).map_err(|error| error.in_one_line())
}

fn facts(run: &Run, step: &dyn Step, look: Result<Look, String>) -> StepFacts {
    let look = look.unwrap_or_else(|error| Look::Pending(format!("it cannot look: {error}")));
    let (state, why) = match look {
        Look::Needed(why) => ("needed", why),
        Look::Cached(why) => ("cached", why),
        Look::Pending(why) => ("pending", why),
        Look::Nothing(why) => ("nothing", why),
    };
    let undo = match step.undo_policy() {
        UndoPolicy::Nothing => String::new(),
        UndoPolicy::Will(what) => what.to_owned(),
        UndoPolicy::Cannot(why) => format!("cannot always be undone: {why}"),
    };
    StepFacts { step: step.id(), describe: step.describe(run), state, why, undo }
}

fn text(facts: &Facts) -> String {
    let mut text = format!("{} {}\n", facts.revision.short(), facts.subject);
    if facts.live {
        text += "it is live already; a deploy would do nothing without --force\n";
    }
    for StepFacts { step, state, why, .. } in &facts.steps {
        text += &format!("  {step:<15} {state:<8} {why}\n");
    }
    let stands = |step: &&StepFacts| step.state != "nothing" && step.undo.starts_with("cannot");
    for StepFacts { step, undo, .. } in facts.steps.iter().filter(stands) {
        text += &format!("note: {step} {undo}\n");
    }
    if let Some(limits) = facts.build.told() {
        text += &format!("note: {limits}\n");
    }
    for problem in &facts.problems {
        text += &format!("problem: {problem}\n");
    }
    if !facts.problems.is_empty() {
        text += "a deploy would be refused; `release check` says what to do\n";
    }
    text
}
