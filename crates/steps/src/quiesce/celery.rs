//! Celery workers, asked through their app's own Celery.

use std::time::Duration;

use release_core::config::Service;
use release_core::environment;
use release_core::host::HostResult;
use release_core::worker::Celery;
use serde::Deserialize;
use serde_json::json;

use super::{Group, Script, Worker, groups};
use crate::shutdown::Shutdown;

const SCRIPT: Script = Script { text: include_str!("celery.py"), mark: "@release-celery:" };
/// How long the tasks that a worker has taken may need to begin; those that have not are given
/// back when it ends.
const PATIENCE: Duration = Duration::from_secs(5);

/// What `celery.py` answers.
#[derive(Deserialize)]
struct Answer {
    /// How many workers took the order.
    answered: usize,
    /// Whether all that they had taken was begun.
    settled: bool,
}

/// Whether it is told by its own protocol.
pub(crate) fn takes_orders(service: &Service) -> bool {
    Celery::of(&service.words()).is_some()
}

/// Lets the Celery workers among `workers` take no more tasks, and waits until they have begun
/// those that they took. Only then is their usual signal sure to do nothing twice. Gives the names
/// of those that took the order.
pub(super) fn quiesce(shutdown: &Shutdown<'_>, workers: &[Worker]) -> HostResult<Vec<String>> {
    let mut quiet = Vec::new();
    for group in groups(workers, |worker| Some(of(worker)?.global)) {
        let nodes = nodes(&group);
        let question = json!({"global": group.key, "nodes": nodes, "patience": PATIENCE.as_secs()});
        let (answer, printed) = SCRIPT.ask(shutdown, &group, &question)?;
        let told = match answer {
            Some(Answer { answered, settled: true }) if answered == nodes.len() => {
                quiet.extend(group.workers.iter().map(|worker| worker.name.clone()));
                continue;
            }
            Some(Answer { answered, .. }) if answered == nodes.len() => "still had tasks to begin",
            _ => "did not all answer",
        };
        let told = format!("{}: {told}; what is not begun may be done twice", nodes.join(", "));
        (shutdown.tell)(&told, &printed);
    }
    Ok(quiet)
}

fn nodes<K>(group: &Group<'_, K>) -> Vec<String> {
    let node = |worker: &&Worker| Some(of(worker)?.node(&worker.name));
    group.workers.iter().filter_map(node).collect()
}

/// The worker's parts, with the name of its program.
fn of(worker: &Worker) -> Option<Celery> {
    let words = worker.service.words().into_iter();
    Celery::of(&words.map(|word| environment::of_program(&word, &worker.name)).collect::<Vec<_>>())
}
