//! Queue workers, told through their app's own libraries to take no more tasks.

mod celery;
mod rq;

use release_core::command::Command;
use release_core::config::Service;
use release_core::host::{HostError, HostResult};
use release_core::release::Generation;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::programs::{is_alive, service_of};
use crate::shutdown::Shutdown;

pub(crate) use celery::takes_orders;

/// Lets those of the programs that are workers which can be told take no more tasks, until their signal
/// comes. Gives the names of those that surely take none.
pub(crate) fn quiesce(shutdown: &Shutdown<'_>, programs: &[String]) -> HostResult<Vec<String>> {
    let workers = workers(shutdown, programs)?;
    let mut quiet = celery::quiesce(shutdown, &workers)?;
    // Last: it lasts but for a moment.
    quiet.extend(rq::hold(shutdown, &workers)?);
    Ok(quiet)
}

/// A program that runs, with its service.
struct Worker {
    name: String,
    generation: Generation,
    service: Service,
}

/// Those of the programs that still answer: one that is ending does not.
fn workers(shutdown: &Shutdown<'_>, programs: &[String]) -> HostResult<Vec<Worker>> {
    let states = shutdown.host.states()?;
    let alive = programs.iter().filter(|name| is_alive(&states, name));
    let known = alive.filter_map(|name| {
        let (generation, service) = service_of(shutdown.host, shutdown.layout, name)?;
        Some(Worker { name: name.clone(), generation, service })
    });
    Ok(known.collect())
}

/// Workers that one start of their app can speak to.
struct Group<'a, K> {
    generation: &'a Generation,
    service: &'a Service,
    key: K,
    workers: Vec<&'a Worker>,
}

/// Those of `workers` that have a key, by it.
fn groups<K: PartialEq>(workers: &[Worker], key: impl Fn(&Worker) -> Option<K>) -> Vec<Group<'_, K>> {
    let mut groups: Vec<Group<'_, K>> = Vec::new();
    for worker in workers {
        let Some(key) = key(worker) else { continue };
        let (generation, service) = (&worker.generation, &worker.service);
        let alike = groups.iter_mut().find(|group| {
            let (env, process) = (&group.service.env, &group.service.process);
            group.generation == generation
                && group.key == key
                && (env, process) == (&service.env, &service.process)
        });
        match alike {
            Some(group) => group.workers.push(worker),
            None => groups.push(Group { generation, service, key, workers: vec![worker] }),
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
        shutdown: &Shutdown<'_>,
        group: &Group<'_, K>,
        question: &Value,
    ) -> HostResult<(Option<T>, Vec<String>)> {
        let (mut answer, mut printed) = (None, Vec::new());
        let mut read = |line: &str| match line.strip_prefix(self.mark) {
            Some(json) => answer = serde_json::from_str(json).ok(),
            None => printed.push(line.to_owned()),
        };
        let ran = shutdown.within(|limit| {
            let command = self.command(shutdown, group, question).limit(limit);
            shutdown.host.run(&command, &mut read)
        });
        // Asking is a favour to their tasks: their signal comes all the same.
        match ran {
            Err(error @ HostError::Interrupted(_)) => Err(error),
            _ => Ok((answer, printed)),
        }
    }

    /// Through the door, in the environment of the workers themselves.
    fn command<K>(&self, shutdown: &Shutdown<'_>, group: &Group<'_, K>, question: &Value) -> Command {
        let (release, number) = (group.generation.release.as_str(), group.generation.number.to_string());
        let service = ["--release", release, "--service", &group.service.name, "--generation", &number];
        let (program, door) = shutdown.door.split_first().expect("the door names a program");
        Command::new(program, shutdown.layout.root())
            .args(door.iter().cloned())
            .args(service)
            .args(["--", "python", "-c", self.text])
            .args([question.to_string()])
    }
}
