//! One master that belongs to no release: started once, and told to load what its link leads to.

use std::time::Duration;

use release_core::command::{Command, Secret};
use release_core::config::{Config, Reload, Service};
use release_core::environment;
use release_core::host::{Host, HostResult};
use release_core::layout::Layout;
use release_core::proof::Verdict;
use release_core::release::{Generation, ReleaseId};
use release_core::run::Action;
use release_core::service::{Program, ProgramState};
use release_core::standing;
use release_core::step::{Context, StepError};

use crate::answer::{Answer, Question, log_tail};
use crate::drain::wait_until_quiet;
use crate::programs::programs;
use crate::prove::ground;

const POLL: Duration = Duration::from_millis(50);

/// What a master of `service` keeps from its start to its end, as text to compare.
pub fn stamp(
    host: &dyn Host,
    layout: &Layout,
    release: &ReleaseId,
    config: &Config,
    service: &Service,
) -> HostResult<String> {
    let env_file = host.read(&layout.shared().join(&config.env_file))?.unwrap_or_default();
    // The link is each release's own; without one there is no environment.
    let venv = host.resolve(&layout.venv(release))?.unwrap_or_default();
    Ok(standing::started_with(config, service, &env_file, &venv))
}

/// The master of `service`, which is to run the release of `generation`.
pub(super) struct Master<'a> {
    pub(super) cx: &'a Context<'a>,
    pub(super) generation: &'a Generation,
    pub(super) config: &'a Config,
    pub(super) service: &'a Service,
}

impl Master<'_> {
    /// Makes it run the release, waits until that is proved, and says what was done.
    pub(super) fn load(&self, how: &Reload) -> Result<String, StepError> {
        // It promises new processes, whatever they were started with.
        let is_restart = self.cx.run.action == Action::Restart;
        self.lead_to_release()?;
        let done = match self.state()? {
            Some(state) if !is_restart && self.can_reload()? => {
                if self.mixture(&state)?.is_none() {
                    "runs it already".to_owned()
                } else {
                    self.nudge(how, &state)?;
                    format!("reloaded by {how}")
                }
            }
            Some(_) => {
                self.cx.host.stop(&[self.name()])?;
                self.start()?;
                match is_restart {
                    true => "started anew".to_owned(),
                    false => "started anew, as what a reload does not change has changed".to_owned(),
                }
            }
            None => {
                self.start()?;
                "started".to_owned()
            }
        };
        self.wait_until_proved()?;
        Ok(done)
    }

    /// Whether all of its processes run from the release, and from nothing of another one.
    pub(super) fn runs_it(&self) -> Result<bool, StepError> {
        match self.state()? {
            Some(state) => Ok(self.mixture(&state)?.is_none()),
            None => Ok(false),
        }
    }

    fn name(&self) -> String {
        standing::program(&self.service.name)
    }

    /// Its state, if it runs.
    fn state(&self) -> HostResult<Option<ProgramState>> {
        let states = self.cx.host.states()?;
        Ok(states.into_iter().find(|state| state.name == self.name() && state.state.is_alive()))
    }

    /// What its old workers import late is to come from their own release: so its link moves only when
    /// nobody is connected to it any more. The stand-in serves.
    fn lead_to_release(&self) -> Result<(), StepError> {
        let (layout, name) = (&self.cx.run.layout, &self.service.name);
        let (link, target) =
            (layout.standing_release(name), layout.standing_target(&self.generation.release));
        if self.cx.host.read_link(&link)?.as_ref() == Some(&target) {
            return Ok(());
        }
        wait_until_quiet(self.cx, &[(layout.standing_socket(name), self.service.drain.0)])?;
        Ok(self.cx.host.replace_link(&link, &target)?)
    }

    fn can_reload(&self) -> HostResult<bool> {
        let (host, layout) = (self.cx.host, &self.cx.run.layout);
        let now = stamp(host, layout, &self.generation.release, self.config, self.service)?;
        Ok(host.read(&layout.standing_stamp(&self.service.name))? == Some(now.into_bytes()))
    }

    fn start(&self) -> HostResult<()> {
        let (run, name) = (self.cx.run, self.name());
        let number = self.generation.number.to_string();
        let words = ["--standing", &self.service.name, "--release", self.generation.release.as_str()];
        let words = words.into_iter().chain(["--generation", &number]).map(str::to_owned);
        let own = programs(run, self.generation, self.config);
        let masters = own.filter(|(service, _)| service.name == self.service.name).map(|(_, own)| Program {
            command: run.door.iter().cloned().chain(words.clone()).collect(),
            directory: run.layout.root().to_path_buf(),
            log: run.layout.service_log(&name),
            name: name.clone(),
            ..own
        });
        self.cx.host.start(&masters.collect::<Vec<_>>())
    }

    fn nudge(&self, how: &Reload, state: &ProgramState) -> Result<(), StepError> {
        let Some(pid) = state.pid else { return Ok(()) };
        match how {
            Reload::Signal(signal) => Ok(self.cx.host.signal(pid, signal)?),
            Reload::Command(command) => self.cx.run(&self.command(command, pid)?),
        }
    }

    fn command(&self, text: &str, pid: u32) -> Result<Command, StepError> {
        let layout = &self.cx.run.layout;
        let mut env = environment::of_standing(layout, self.config, &self.cx.run.env, self.service);
        env.insert("PID".to_owned(), Secret::new(pid.to_string()));
        let words = environment::expand(text, &env).map_err(|variable| StepError::Refused {
            what: format!("services.{}.reload uses ${variable}, which is not set", self.service.name),
            help: "set it under `env:` in release.yml or in the env file".to_owned(),
        })?;
        let (program, args) = words.split_first().ok_or_else(|| StepError::Refused {
            what: format!("services.{}.reload names no program", self.service.name),
            help: "name one, or a signal: `reload: HUP`".to_owned(),
        })?;
        let app = layout.standing_app(self.config, &self.service.name);
        Ok(Command::new(program, app).args(args).env(env).isolated())
    }

    /// Why not all of its processes run from the release; `None` if they do.
    fn mixture(&self, state: &ProgramState) -> Result<Option<String>, StepError> {
        let ground = ground(self.cx, &self.generation.release)?;
        let mut is_pure = false;
        for process in self.cx.host.family(&state.name, state.pid)? {
            match ground.judge(&process) {
                Verdict::Mixture(path) => {
                    return Ok(Some(format!("its process {} uses {}", process.pid, path.display())));
                }
                Verdict::Unknown => {
                    return Ok(Some(format!("this user may not see what its process {} uses", process.pid)));
                }
                Verdict::Pure => is_pure = true,
                Verdict::Elsewhere => {}
            }
        }
        Ok((!is_pure).then(|| "none of its processes uses anything of it".to_owned()))
    }

    /// Old workers may finish what they have first.
    fn wait_until_proved(&self) -> Result<(), StepError> {
        let limit = self.service.health.timeout.0.max(self.service.first_wait().0);
        let mut why = String::new();
        let proved = self.cx.wait(limit, POLL, || {
            let found = match self.state()? {
                Some(state) => self.mixture(&state)?,
                None => Some("it does not run".to_owned()),
            };
            why = found.unwrap_or_default();
            Ok(why.is_empty().then_some(()))
        })?;
        if proved.is_none() {
            return Err(
                self.fails(format!("does not run {} after its reload: {why}", self.generation.release))
            );
        }
        let socket = self.cx.run.layout.standing_socket(&self.service.name);
        let question = Question::health(socket, &self.service.health);
        match question.ask_until(self.cx, limit, Answer::is_good)? {
            answer if answer.is_good() => Ok(()),
            answer => Err(self.fails(format!("after its reload {}", answer.what(question.path)))),
        }
    }

    fn fails(&self, what: String) -> StepError {
        let log = self.cx.run.layout.service_log(&self.name());
        StepError::Service {
            service: self.service.name.clone(),
            what,
            output: log_tail(self.cx, &self.name()),
            help: Some(format!(
                "`handover: socket` needs no reload and loses as little; else use a reload that starts all of its \
                 processes anew, in {}: its whole log is {}",
                self.cx.run.layout.standing_release(&self.service.name).display(),
                log.display()
            )),
        }
    }
}
