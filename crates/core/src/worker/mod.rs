//! What is known of the programs that are not web servers: how each is asked to finish its work.
//!
//! Measured with redis as the broker: Celery finishes the task it has on TERM; Huey loses it on
//! TERM and finishes on INT; RQ, Dramatiq and django-q2 finish on TERM, while QUIT would kill
//! their master and leave orphans.

mod celery;
mod rq;

#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::config::{Handover, Rung, Service, Stop, Wait};
use crate::service::Climb;

pub use celery::{Celery, beats, daemonizes};
pub use rq::Rq;

/// How long a worker may take for the task that it has.
const LONG_TASK: Wait = Wait::seconds(600);
/// How long a web server may take for the requests that it has.
const LONG_REQUEST: Wait = Wait::seconds(40);

/// How late the signals of a ladder may be, all together.
const LATE: Duration = Duration::from_secs(30);

/// A queue worker that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worker {
    /// Celery.
    Celery,
    /// Huey.
    Huey,
    /// RQ: one task at a time, in a child of its own.
    Rq,
    /// Dramatiq: it fetches for as long as one of its tasks lasts.
    Dramatiq,
    /// A program of which nothing is known but that it ends on TERM: django-q2, a `manage.py`
    /// command.
    Other,
}

impl Worker {
    /// The worker that a command starts, by its words; `nice -n 5 python manage.py …` may stand before it.
    pub fn of<T: AsRef<str>>(words: &[T]) -> Self {
        words.iter().find_map(|word| Self::named(word.as_ref())).unwrap_or(Worker::Other)
    }

    fn named(word: &str) -> Option<Self> {
        Some(match base_name(word) {
            name if rq::starts(name) => Worker::Rq,
            "celery" => Worker::Celery,
            "run_huey" | "huey_consumer" | "huey_consumer.py" | "huey.bin.huey_consumer" | "djangohuey" => {
                Worker::Huey
            }
            "dramatiq" | "dramatiq-gevent" | "rundramatiq" => Worker::Dramatiq,
            _ => return None,
        })
    }

    /// The signal on which it takes no more tasks, finishes those that it has, and ends.
    fn signal<T: AsRef<str>>(self, words: &[T]) -> &'static str {
        if self == Worker::Huey && !finishes_on_term(words) { "INT" } else { "TERM" }
    }
}

/// `words` with what a worker needs to run beside its like of another generation, when it runs as `program`.
pub fn complete(words: Vec<String>, program: &str) -> Vec<String> {
    match Celery::of(&words) {
        Some(celery) => celery.named(words, program),
        None => words,
    }
}

/// Huey can be told to change its signals.
fn finishes_on_term<T: AsRef<str>>(words: &[T]) -> bool {
    let joined = words.iter().any(|word| word.as_ref() == "--graceful-signal=TERM");
    let apart =
        |pair: &[T]| matches!((pair[0].as_ref(), pair[1].as_ref()), ("-g" | "--graceful-signal", "TERM"));
    joined || words.windows(2).any(apart)
}

impl Service {
    /// The signals that end it, in order: its own, or what is usual for its command.
    pub fn ladder(&self) -> Vec<Rung> {
        match &self.stop {
            Some(stop) => stop.0.clone(),
            None => usual_stop(&self.command, self.handover).0,
        }
    }

    /// How long it may take for what it began, before it is asked more sharply.
    pub fn first_wait(&self) -> Wait {
        self.ladder().first().map_or(LONG_REQUEST, |rung| rung.wait)
    }

    /// How long it may take to end altogether.
    pub fn patience(&self) -> Duration {
        self.ladder().iter().map(|rung| rung.wait.0).sum()
    }

    /// Its signals after the first. Where there are any, KILL is the last of them: its manager does not
    /// know when each was sent.
    pub fn climb(&self) -> Climb {
        let ladder = self.ladder();
        let signals = ladder.iter().map(|rung| rung.signal.as_str()).chain(["KILL"]).skip(1);
        let ends = ladder.iter().scan(Duration::ZERO, |at, rung| {
            *at += rung.wait.0;
            Some(*at)
        });
        let climb: Climb = ends.zip(signals.map(str::to_owned)).collect();
        if ladder.len() > 1 { climb } else { Climb::new() }
    }

    /// When its manager kills it: where there are further signals only if nobody is there to send them.
    pub fn killed_after(&self) -> Duration {
        let margin = if self.climb().is_empty() { Duration::ZERO } else { LATE };
        self.patience() + margin
    }

    /// How many tasks it still has once it was asked to end, when `children` processes of it are
    /// left; `None` where its processes do not tell.
    pub fn tasks_left(&self, children: usize) -> Option<usize> {
        let words = self.words();
        match Worker::of(&words) {
            // Asked to end, Celery ends each child that has no task, and RQ its scheduler.
            Worker::Celery => Celery::of(&words).filter(Celery::forks).map(|_| children),
            Worker::Rq => (!has_word_with(&words, "pool")).then_some(children.min(1)),
            Worker::Huey | Worker::Dramatiq | Worker::Other => None,
        }
    }

    /// Whether its child, left alone, finishes its task and ends: that of RQ.
    pub fn leaves_no_orphan(&self) -> bool {
        let words = self.words();
        Worker::of(&words) == Worker::Rq
            && !has_word_with(&words, "pool")
            && !has_word_with(&words, "scheduler")
    }

    /// Whether it fetches tasks until its last one is done, also when it was asked to end, and throws
    /// away those that it does not know.
    pub fn fetches_until_it_ends(&self) -> bool {
        Worker::of(&self.words()) == Worker::Dramatiq
    }

    /// The words of its command, with variables as they stand; none if a quote is not closed.
    pub fn words(&self) -> Vec<String> {
        shell_words::split(&self.command).unwrap_or_default()
    }
}

fn has_word_with(words: &[String], part: &str) -> bool {
    words.iter().any(|word| word.contains(part))
}

fn usual_stop(command: &str, handover: Handover) -> Stop {
    let words = shell_words::split(command).unwrap_or_default();
    let signal = Worker::of(&words).signal(&words);
    match handover {
        Handover::Socket | Handover::Reload => Stop::one("TERM", LONG_REQUEST),
        Handover::Overlap => Stop::one(signal, LONG_TASK),
        // What is replaced keeps its successor waiting, unless it may lose a task by it.
        Handover::Replace if signal == "INT" => Stop::one(signal, LONG_TASK),
        Handover::Replace => Stop::one(signal, LONG_REQUEST),
    }
}

fn base_name(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}
