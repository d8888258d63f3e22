//! Celery workers, asked through their app's own Celery.

use std::time::Duration;

use release_core::command::Command;
use release_core::config::Service;
use release_core::environment;
use release_core::host::{HostError, HostResult};
use release_core::release::Generation;
use release_core::step::Context;
use release_core::worker::Celery;
use serde::Deserialize;
use serde_json::json;

use crate::programs::OldWorker;

/// `quiesce.py` prints its answer behind this.
const MARK: &str = "@release-celery:";
/// How long the tasks that a worker has taken may need to begin; those that have not are given
/// back when it ends.
const PATIENCE: Duration = Duration::from_secs(5);
/// For the start of the app, and for brokers that answer slowly.
const LIMIT: Duration = Duration::from_secs(40);

/// What `quiesce.py` answers.
#[derive(Deserialize)]
struct Answer {
    /// How many workers took the order.
    answered: usize,
    /// Whether all that they had taken was begun.
    settled: bool,
}

/// Workers that one start of their app can speak to.
struct Group<'a> {
    generation: &'a Generation,
    service: &'a Service,
    global: Vec<String>,
    nodes: Vec<String>,
    programs: Vec<String>,
}

/// The worker's parts, if it is one of Celery.
pub(crate) fn of(worker: &OldWorker) -> Option<Celery> {
    let words = worker.service.as_ref()?.words().into_iter();
    Celery::of(&words.map(|word| environment::of_program(&word, &worker.name)).collect::<Vec<_>>())
}

/// Lets the Celery workers among `workers` take no more tasks, and waits until they have begun
/// those that they took. Only then is their usual signal sure to do nothing twice. Gives the names
/// of those that took the order.
pub(crate) fn quiesce(cx: &Context<'_>, workers: &[OldWorker]) -> HostResult<Vec<String>> {
    let mut quiet = Vec::new();
    for group in groups(workers) {
        let (mut answer, mut printed) = (None, Vec::new());
        let ran = cx.host.run(&order(cx, &group), &mut |line| match line.strip_prefix(MARK) {
            Some(json) => answer = serde_json::from_str::<Answer>(json).ok(),
            None => printed.push(line.to_owned()),
        });
        // Asking is a favour to their tasks: their signal comes all the same.
        if let Err(error @ HostError::Interrupted(_)) = ran {
            return Err(error);
        }
        let told = match answer {
            Some(Answer { answered, settled: true }) if answered == group.nodes.len() => {
                quiet.extend(group.programs);
                continue;
            }
            Some(Answer { answered, .. }) if answered == group.nodes.len() => "still had tasks to begin",
            _ => "did not all answer",
        };
        printed.iter().for_each(|line| drop(cx.line(line)));
        cx.line(&format!("{}: {told}; what is not begun may be done twice", group.nodes.join(", ")));
    }
    Ok(quiet)
}

fn groups(workers: &[OldWorker]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for worker in workers {
        // One that is ending already does not answer any more.
        let (Some(service), Some(celery), true) = (&worker.service, of(worker), worker.alive) else {
            continue;
        };
        let node = celery.node(&worker.name);
        let alike = groups.iter_mut().find(|group| {
            *group.generation == worker.generation
                && group.global == celery.global
                && group.service.env == service.env
        });
        match alike {
            Some(group) => {
                group.nodes.push(node);
                group.programs.push(worker.name.clone());
            }
            None => groups.push(Group {
                generation: &worker.generation,
                service,
                global: celery.global,
                nodes: vec![node],
                programs: vec![worker.name.clone()],
            }),
        }
    }
    groups
}

/// Through the door, in the environment of the workers themselves.
fn order(cx: &Context<'_>, group: &Group<'_>) -> Command {
    let asked = json!({"global": group.global, "nodes": group.nodes, "patience": PATIENCE.as_secs()});
    let (release, number) = (group.generation.release.as_str(), group.generation.number.to_string());
    let service = ["--release", release, "--service", &group.service.name, "--generation", &number];
    let (program, door) = cx.run.door.split_first().expect("the door names a program");
    Command::new(program, cx.run.layout.root())
        .args(door.iter().cloned())
        .args(service)
        .args(["--", "python", "-c", include_str!("quiesce.py")])
        .args([asked.to_string()])
        .limit(LIMIT)
}
