//! RQ workers, held where their signal costs no job.
//!
//! RQ takes a job from its queue first and counts as busy later; asked to end in between, it forgets the
//! job. Measured with RQ 2.12 under a stream of short jobs: 4 of 60 workers lost one.

use release_core::host::HostResult;
use release_core::step::Context;
use release_core::worker::Rq;
use serde_json::json;

use super::{Script, groups};
use crate::programs::OldWorker;

const SCRIPT: Script = Script { text: include_str!("rq.py"), mark: "@release-rq:" };
/// Lets them go, also if the script is killed.
const GUARD: &str = include_str!("guard.py");

/// Makes the RQ workers among `workers` stand still, for 10 seconds at most, until their signal is there.
/// Gives the names of those that do.
pub(super) fn hold(cx: &Context<'_>, workers: &[OldWorker]) -> HostResult<Vec<String>> {
    let mut quiet = Vec::new();
    for group in groups(workers, |worker| Rq::of(&worker.service.as_ref()?.words())) {
        let programs: Vec<&String> = group.workers.iter().map(|worker| &worker.name).collect();
        let question = json!({
            "project": group.key.project,
            "arguments": group.key.arguments,
            "programs": programs,
            "guard": GUARD,
        });
        let (answer, printed) = SCRIPT.ask::<_, Vec<String>>(cx, &group, &question)?;
        let held = answer.unwrap_or_default();
        let free: Vec<&str> =
            programs.into_iter().filter(|name| !held.contains(name)).map(String::as_str).collect();
        if !free.is_empty() {
            printed.iter().for_each(|line| drop(cx.line(line)));
            cx.line(&format!("{}: not held; RQ may lose the job that it just takes", free.join(", ")));
        }
        quiet.extend(held);
    }
    Ok(quiet)
}
