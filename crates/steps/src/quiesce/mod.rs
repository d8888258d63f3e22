//! Queue workers, told through their app's own libraries to take no more tasks.

mod celery;
mod rq;

use std::time::Duration;

use release_core::command::Command;
use release_core::config::Service;
use release_core::host::{HostError, HostResult};
use release_core::release::Generation;
use release_core::step::Context;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::programs::OldWorker;

pub(crate) use celery::takes_orders;

/// For the start of the app, and for brokers that answer slowly.
const LIMIT: Duration = Duration::from_secs(40);

/// Lets the workers that can be told take no more tasks, until their signal comes. Gives the names of those
/// that surely take none.
pub(crate) fn quiesce(cx: &Context<'_>, workers: &[OldWorker]) -> HostResult<Vec<String>> {
    let mut quiet = celery::quiesce(cx, workers)?;
    // Last: it lasts but for a moment.
    quiet.extend(rq::hold(cx, workers)?);
    Ok(quiet)
}

/// Workers that one start of their app can speak to.
struct Group<'a, K> {
    generation: &'a Generation,
    service: &'a Service,
    key: K,
    workers: Vec<&'a OldWorker>,
}

/// Those of `workers` that have a key, by it.
fn groups<'a, K: PartialEq>(
    workers: &'a [OldWorker],
    key: impl Fn(&OldWorker) -> Option<K>,
) -> Vec<Group<'a, K>> {
    let mut groups: Vec<Group<'a, K>> = Vec::new();
    for worker in workers {
        // One that is ending already does not answer any more.
        let (Some(service), Some(key), true) = (&worker.service, key(worker), worker.alive) else {
            continue;
        };
        let alike = groups.iter_mut().find(|group| {
            let (env, process) = (&group.service.env, &group.service.process);
            *group.generation == worker.generation
                && group.key == key
                && (env, process) == (&service.env, &service.process)
        });
        match alike {
            Some(group) => group.workers.push(worker),
            None => {
                groups.push(Group { generation: &worker.generation, service, key, workers: vec![worker] });
            }
        }
    }
    groups
}

/// A script of ours, and behind what it prints its answer.
struct Script {
    text: &'static str,
    mark: &'static str,
}

impl Script {
    /// What it answers to `question`, if it does, and all else that it printed.
    fn ask<K, T: DeserializeOwned>(
        &self,
        cx: &Context<'_>,
        group: &Group<'_, K>,
        question: &Value,
    ) -> HostResult<(Option<T>, Vec<String>)> {
        let (mut answer, mut printed) = (None, Vec::new());
        let ran =
            cx.host.run(&self.command(cx, group, question), &mut |line| match line.strip_prefix(self.mark) {
                Some(json) => answer = serde_json::from_str(json).ok(),
                None => printed.push(line.to_owned()),
            });
        // Asking is a favour to their tasks: their signal comes all the same.
        match ran {
            Err(error @ HostError::Interrupted(_)) => Err(error),
            _ => Ok((answer, printed)),
        }
    }

    /// Through the door, in the environment of the workers themselves.
    fn command<K>(&self, cx: &Context<'_>, group: &Group<'_, K>, question: &Value) -> Command {
        let (release, number) = (group.generation.release.as_str(), group.generation.number.to_string());
        let service = ["--release", release, "--service", &group.service.name, "--generation", &number];
        let (program, door) = cx.run.door.split_first().expect("the door names a program");
        Command::new(program, cx.run.layout.root())
            .args(door.iter().cloned())
            .args(service)
            .args(["--", "python", "-c", self.text])
            .args([question.to_string()])
            .limit(LIMIT)
    }
}
