//! RQ workers, held where their signal costs no job.
//!
//! RQ takes a job from its queue first and counts as busy later; asked to end in between, it forgets the
//! job. Measured with RQ 2.12 under a stream of short jobs: 4 of 60 workers lost one.

use std::collections::BTreeMap;

use release_core::host::HostResult;
use release_core::service::ProgramState;
use release_core::worker::Rq;
use serde_json::json;

use super::{Group, Script, Worker, groups};
use crate::shutdown::Shutdown;

const TEXT: &str = concat!(include_str!("sockets.py"), include_str!("rq.py"));
const SCRIPT: Script = Script { text: TEXT, mark: "@release-rq:" };
/// Lets them go, also if the script is killed.
const GUARD: &str = include_str!("guard.py");

/// Makes the RQ workers among `workers` stand still, until their signal is there or this run is over, a
/// minute at most. Gives the names of those that do.
pub(super) fn hold(shutdown: &Shutdown<'_>, workers: &[Worker]) -> HostResult<Vec<String>> {
    let mut quiet = Vec::new();
    for group in groups(workers, |worker| Rq::of(&worker.service.words())) {
        let question = json!({
            "project": group.key.project,
            "command": group.key.command,
            "arguments": group.key.arguments,
            "programs": processes(shutdown, &group)?,
            "guard": GUARD,
        });
        let (answer, printed) = SCRIPT.ask::<_, Vec<String>>(shutdown, &group, &question)?;
        let held = answer.unwrap_or_default();
        let names = group.workers.iter().map(|worker| worker.name.as_str());
        let free: Vec<&str> = names.filter(|name| !held.iter().any(|held| held == name)).collect();
        if !free.is_empty() {
            let told = format!("{}: not held; RQ may lose the job that it just takes", free.join(", "));
            (shutdown.tell)(&told, &printed);
        }
        quiet.extend(held);
    }
    Ok(quiet)
}

/// The names of a group's programs, by their process ids.
fn processes<K>(shutdown: &Shutdown<'_>, group: &Group<'_, K>) -> HostResult<BTreeMap<u32, String>> {
    let is_of = |state: &ProgramState| group.workers.iter().any(|worker| worker.name == state.name);
    let states = shutdown.host.states()?.into_iter().filter(is_of);
    Ok(states.filter_map(|state| Some((state.pid?, state.name))).collect())
}
