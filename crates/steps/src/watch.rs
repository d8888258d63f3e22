//! One service of the new generation, from its start until it may get users.

use std::time::Duration;

use release_core::config::Service;
use release_core::host::{HostResult, Reply};
use release_core::service::{ProgramState, Running};
use release_core::step::{Context, StepError};

use crate::answer::{Answer, POLL, Question, log_tail};

/// How often a process is looked at that must stay well.
const WATCH: Duration = Duration::from_millis(100);

/// A service that answers the same error for so long will not get well by waiting.
const STABLE: Duration = Duration::from_secs(5);

/// How long a request of the warm-up may take that was turned away at first.
const LATER: Duration = Duration::from_secs(5);

/// What its log does not tell: where the manager could not even start it, there is none.
fn ended(state: &ProgramState) -> String {
    let how = state.ended.as_ref().map(|how| format!(" ({how})"));
    format!("ended by itself{}", how.unwrap_or_default())
}

/// One service of the new generation under observation.
pub(crate) struct Watch<'a> {
    cx: &'a Context<'a>,
    service: &'a Service,
    program: String,
    question: Question<'a>,
    pid: Option<u32>,
    /// What the master had started when the warm-up was answered.
    workers: Vec<u32>,
    well_since: Duration,
}

impl<'a> Watch<'a> {
    /// Begins to watch one instance of `service`.
    pub(crate) fn new(cx: &'a Context<'a>, service: &'a Service, program: String) -> Self {
        let generation = &cx.run.generation;
        let socket = cx.run.layout.socket(generation, &service.name);
        Self {
            cx,
            service,
            program,
            question: Question::health(socket, &service.health),
            pid: None,
            workers: Vec::new(),
            well_since: Duration::ZERO,
        }
    }

    /// Fails as soon as the process is not the one that was seen first.
    fn same_process(&mut self) -> Result<(), StepError> {
        let states = self.cx.host.states()?;
        let Some(state) = states.iter().find(|state| state.name == self.program) else {
            return Err(self.fails("is unknown to the process manager"));
        };
        match state.state {
            Running::Failed => return Err(self.fails(&ended(state))),
            Running::Stopped | Running::Stopping => return Err(self.fails("has stopped")),
            Running::Starting | Running::Running => {}
        }
        if self.pid.is_some() && self.pid != state.pid {
            return Err(self.fails("ended by itself and is being started again"));
        }
        self.pid = state.pid;
        Ok(())
    }

    /// Waits until it answers well for the first time, and wakes it up; a worker answers nobody.
    pub(crate) fn begin(&mut self) -> Result<(), StepError> {
        if self.service.handover.listens() {
            self.first_answer()?;
            self.warm_up()?;
            self.workers = self.workers()?;
            return Ok(());
        }
        self.well_since = self.cx.host.elapsed();
        self.same_process()
    }

    /// Waits until it answers well for the first time.
    fn first_answer(&mut self) -> Result<(), StepError> {
        let cx = self.cx;
        let limit = self.service.health.timeout.0;
        let end = cx.host.elapsed() + limit;
        let mut same = SameStatus::default();
        loop {
            self.same_process()?;
            let answer = self.question.ask(cx, end.saturating_sub(cx.host.elapsed()))?;
            let now = cx.host.elapsed();
            if answer.is_good() {
                self.well_since = now;
                return Ok(());
            }
            if same.lasts(&answer, now) >= STABLE || now >= end {
                // What it died of says more than that it does not answer.
                self.same_process()?;
                return Err(self.unwell(&answer, limit));
            }
            cx.host.pause(POLL)?;
        }
    }

    /// Wakes its workers up: one that answers says nothing of the others, which still import.
    fn warm_up(&mut self) -> Result<(), StepError> {
        let count = self.service.health.warm_up;
        if count == 0 {
            return Ok(());
        }
        let limit = self.service.health.timeout.0;
        for answer in self.question.ask_many(self.cx, limit, count)? {
            // A short queue may turn some of them away: that says nothing of its health.
            let again = matches!(answer, Answer::Silence(_));
            let answer =
                if again { self.question.ask_until(self.cx, LATER, Answer::is_good)? } else { answer };
            if !answer.is_good() {
                self.same_process()?;
                let what = answer.what(self.question.path);
                return Err(self.fails(&format!("{what}, asked {count} times at once")));
            }
        }
        Ok(())
    }

    /// Sees that it stays well: a process that dies seconds after its start must not get users.
    pub(crate) fn settle(&mut self) -> Result<(), StepError> {
        if has_served(self.cx, self.service)? {
            return Ok(());
        }
        let end = self.settled_at()?;
        loop {
            self.same_process()?;
            if self.cx.host.elapsed() >= end {
                break;
            }
            self.cx.host.pause(WATCH)?;
        }
        if !self.service.handover.listens() {
            return Ok(());
        }
        let limit = self.service.health.timeout.0;
        let answer = self.question.ask(self.cx, limit)?;
        if answer.is_good() { self.same_workers() } else { Err(self.unwell(&answer, limit)) }
    }

    /// It has to have run for so long, half of that since it was well first: an app may take its time
    /// to load.
    fn settled_at(&self) -> HostResult<Duration> {
        let settle = self.service.health.settle.0;
        let age = self.pid.map_or(Ok(None), |pid| self.cx.host.age(pid))?;
        let began = age.map(|age| self.cx.host.elapsed().saturating_sub(age));
        let began = began.unwrap_or(self.well_since);
        Ok((began + settle).max(self.well_since + settle / 2))
    }

    fn workers(&self) -> HostResult<Vec<u32>> {
        self.pid.map_or(Ok(Vec::new()), |pid| self.cx.host.children(pid))
    }

    /// Fails if a worker ended and another one took its place: a master hides that its workers die
    /// again and again. What an app itself started for a moment has nobody in its place.
    fn same_workers(&self) -> Result<(), StepError> {
        let now = self.workers()?;
        let replaced = |old: &Vec<u32>, new: &Vec<u32>| old.iter().any(|pid| !new.contains(pid));
        if replaced(&self.workers, &now) && replaced(&now, &self.workers) {
            return Err(self.fails("lost a worker after it had answered, and has started another one"));
        }
        Ok(())
    }

    fn fails(&self, what: &str) -> StepError {
        let log = self.cx.run.layout.service_log(&self.program);
        StepError::Service {
            service: self.service.name.clone(),
            what: what.to_owned(),
            output: log_tail(self.cx, &self.program),
            help: Some(format!("its whole log is {}", log.display())),
        }
    }

    fn unwell(&self, answer: &Answer, limit: Duration) -> StepError {
        let what = match answer {
            Answer::Silence(_) => {
                format!("{} (waited {} s)", answer.what(self.question.path), limit.as_secs())
            }
            Answer::Good | Answer::Bad(_) => answer.what(self.question.path),
        };
        let mut output = answer.lines(self.cx);
        output.extend(log_tail(self.cx, &self.program));
        let help = match answer {
            Answer::Bad(reply) => status_help(self.service, reply),
            Answer::Good | Answer::Silence(_) => silence_help(self.service),
        };
        StepError::Service { service: self.service.name.clone(), what, output, help: Some(help) }
    }
}

fn status_help(service: &Service, reply: &Reply) -> String {
    let (name, health) = (&service.name, &service.health);
    match reply.status {
        400 => format!(
            "Django answers 400 to a host that is not in ALLOWED_HOSTS: add `{}` there, or name one that is: \
             `services: {{{name}: {{health: {{host: shop.example.org}}}}}}`",
            health.host
        ),
        401 | 403 | 404 | 405 => format!(
            "name a path that answers everybody: `services: {{{name}: {{health: {{path: /healthz}}}}}}`"
        ),
        _ => format!("`{}` should answer 2xx or 3xx; the lines above say what went wrong", health.path),
    }
}

fn silence_help(service: &Service) -> String {
    let name = &service.name;
    format!(
        "see that its command listens on $SOCKET; if it only needs more time: \
         `services: {{{name}: {{health: {{timeout: 2m}}}}}}`"
    )
}

/// Whether this very generation had users before: its link is made when it is activated.
fn has_served(cx: &Context<'_>, service: &Service) -> HostResult<bool> {
    let (layout, generation) = (&cx.run.layout, &cx.run.generation);
    let link = cx.host.read_link(&layout.socket_link(&generation.release, &service.name))?;
    Ok(link == Some(layout.socket_name(generation, &service.name)))
}

/// How long a service has given the same bad status.
#[derive(Default)]
struct SameStatus(Option<(u16, Duration)>);

impl SameStatus {
    fn lasts(&mut self, answer: &Answer, now: Duration) -> Duration {
        let Answer::Bad(reply) = answer else {
            self.0 = None;
            return Duration::ZERO;
        };
        match self.0 {
            Some((status, since)) if status == reply.status => now.saturating_sub(since),
            _ => {
                self.0 = Some((reply.status, now));
                Duration::ZERO
            }
        }
    }
}
