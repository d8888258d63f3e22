//! What is known of the programs that are not web servers: how each is asked to finish its work.
//!
//! Measured with redis as the broker: Celery finishes the task it has on TERM; Huey loses it on
//! TERM and finishes on INT; RQ, Dramatiq and django-q2 finish on TERM, while QUIT would kill
//! their master and leave orphans.

use crate::config::{Handover, Rung, Service, Stop, Wait};

/// How long a worker may take for the task that it has.
const LONG_TASK: Wait = Wait::seconds(600);
/// How long a web server may take for the requests that it has.
const LONG_REQUEST: Wait = Wait::seconds(40);

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
    pub fn patience(&self) -> std::time::Duration {
        self.ladder().iter().map(|rung| rung.wait.0).sum()
    }
}

fn usual_stop(command: &str, handover: Handover) -> Stop {
    let words = shell_words::split(command).unwrap_or_default();
    let names = |wanted: &[&str]| words.iter().take(4).any(|word| wanted.contains(&base_name(word)));
    match handover {
        Handover::Socket | Handover::Reload => Stop::one("TERM", LONG_REQUEST),
        _ if names(&["run_huey", "huey_consumer", "huey_consumer.py"]) => Stop::one("INT", LONG_TASK),
        Handover::Overlap => Stop::one("TERM", LONG_TASK),
        Handover::Replace => Stop::one("TERM", LONG_REQUEST),
    }
}

fn base_name(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_asked_in_the_way_that_lets_it_finish() {
        let first = |command, handover| usual_stop(command, handover).0.remove(0);
        let worker = |command| first(command, Handover::Overlap);
        assert_eq!(worker("celery -A shop worker -Q calc").signal, "TERM");
        assert_eq!(worker("python manage.py run_huey").signal, "INT");
        assert_eq!(worker("venv/bin/huey_consumer.py shop.huey").signal, "INT");
        assert_eq!(worker("rq worker high low").signal, "TERM");
        assert_eq!(worker("celery -A shop worker").wait, Wait::seconds(600));
        assert_eq!(first("celery -A shop beat", Handover::Replace).wait, Wait::seconds(40));
        assert_eq!(first("gunicorn shop.wsgi", Handover::Socket).wait, Wait::seconds(40));
    }
}
