//! The fake machine's programs: every command is recorded, and answered as the test says.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use release_core::command::{Command, Exit};
use release_core::host::{Clock, HostError, HostResult, Processes};
use release_core::proof::ProcessFiles;
use release_core::run::RunId;

use crate::fake_host::{FakeHost, lock};
use crate::sample::CORES;

/// What a command prints, and how it ends.
#[derive(Clone, Debug)]
pub struct Answer {
    lines: Vec<String>,
    exit: Exit,
}

impl Answer {
    /// Success, without a word.
    pub fn ok() -> Self {
        Self { lines: Vec::new(), exit: Exit::Code(0) }
    }

    /// Failure with an exit code.
    pub fn code(code: i32) -> Self {
        Self { lines: Vec::new(), exit: Exit::Code(code) }
    }

    /// Ended by a signal.
    pub fn signal(signal: i32) -> Self {
        Self { lines: Vec::new(), exit: Exit::Signal(signal) }
    }

    /// Prints these lines too.
    pub fn says(mut self, text: &str) -> Self {
        self.lines.extend(text.lines().map(str::to_owned));
        self
    }
}

type Script = Arc<dyn Fn(&FakeHost, &Command) -> Answer + Send + Sync>;

type React = Arc<dyn Fn(&FakeHost) + Send + Sync>;

#[derive(Default)]
pub(crate) struct Shell {
    scripts: Vec<(String, Script)>,
    commands: Vec<Command>,
    programs: BTreeMap<String, PathBuf>,
    left_behind: usize,
    using: BTreeMap<PathBuf, Vec<u32>>,
    children: BTreeMap<u32, Vec<u32>>,
    began: BTreeMap<u32, Duration>,
    families: BTreeMap<String, Vec<ProcessFiles>>,
    on_signal: Option<React>,
}

impl fmt::Debug for Shell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shell").field("commands", &self.commands).finish_non_exhaustive()
    }
}

impl FakeHost {
    /// Every command whose program and arguments, joined by spaces, contain `part` gets this
    /// answer; what was said last counts. A command without an answer cannot be started.
    pub fn on(&self, part: &str, answer: Answer) {
        self.on_call(part, move |_, _| answer.clone());
    }

    /// Like [`FakeHost::on`]; `script` can change the machine before it answers.
    pub fn on_call(
        &self,
        part: &str,
        script: impl Fn(&FakeHost, &Command) -> Answer + Send + Sync + 'static,
    ) {
        lock(&self.shell).scripts.push((part.to_owned(), Arc::new(script)));
    }

    /// Every command that was run.
    pub fn commands(&self) -> Vec<Command> {
        lock(&self.shell).commands.clone()
    }

    /// The commands that contain `part`, as [`FakeHost::on`] understands it.
    pub fn commands_with(&self, part: &str) -> Vec<Command> {
        self.commands().into_iter().filter(|command| words(command).contains(part)).collect()
    }

    /// Puts a program on `PATH`.
    pub fn install(&self, program: &str, path: &str) {
        lock(&self.shell).programs.insert(program.to_owned(), path.into());
    }

    /// How many processes of a killed run there still are.
    pub fn set_left_behind(&self, count: usize) {
        lock(&self.shell).left_behind = count;
    }

    /// Which processes run from below `directory`.
    pub fn set_using(&self, directory: impl Into<PathBuf>, pids: Vec<u32>) {
        lock(&self.shell).using.insert(directory.into(), pids);
    }

    /// What a signal to a process changes.
    pub fn on_signal(&self, react: impl Fn(&FakeHost) + Send + Sync + 'static) {
        lock(&self.shell).on_signal = Some(Arc::new(react));
    }

    /// Which processes the process `pid` started.
    pub fn set_children(&self, pid: u32, pids: &[u32]) {
        lock(&self.shell).children.insert(pid, pids.to_owned());
    }

    /// When the process `pid` began, by the machine's clock; of others that is not known.
    pub fn set_began(&self, pid: u32, at: Duration) {
        lock(&self.shell).began.insert(pid, at);
    }

    /// The processes of a program; `None` for what may not be read.
    pub fn set_family(&self, program: &str, files: &[Option<&[&str]>]) {
        let process = |(index, files): (usize, &Option<&[&str]>)| ProcessFiles {
            pid: 2001 + u32::try_from(index).expect("a few processes"),
            files: files.map(|files| files.iter().map(PathBuf::from).collect()),
        };
        let family = files.iter().enumerate().map(process).collect();
        lock(&self.shell).families.insert(program.to_owned(), family);
    }
}

fn words(command: &Command) -> String {
    format!("{} {}", command.program.display(), command.args.join(" "))
}

impl Processes for FakeHost {
    fn run(&self, command: &Command, line: &mut dyn FnMut(&str)) -> HostResult<Exit> {
        let words = words(command);
        self.act("run", &words)?;
        self.check_interruption()?;
        lock(&self.shell).commands.push(command.clone());
        let found = lock(&self.shell).scripts.iter().rev().find(|(part, _)| words.contains(part)).cloned();
        let Some((_, script)) = found else {
            let source = io::Error::new(io::ErrorKind::NotFound, "the test has no answer for it");
            return Err(HostError::Spawn { program: words, source });
        };
        let answer = script(self, command);
        self.check_interruption()?;
        answer.lines.iter().for_each(|text| line(text));
        Ok(answer.exit)
    }

    fn inquire(&self, command: &Command) -> HostResult<(Exit, Vec<String>)> {
        let mut lines = Vec::new();
        let exit = self.run(command, &mut |line| lines.push(line.to_owned()))?;
        Ok((exit, lines))
    }

    fn children(&self, pid: u32) -> HostResult<Vec<u32>> {
        self.ask("children", pid.to_string().as_ref())?;
        Ok(lock(&self.shell).children.get(&pid).cloned().unwrap_or_default())
    }

    fn find_program(&self, program: &str) -> Option<PathBuf> {
        lock(&self.shell).programs.get(program).cloned()
    }

    fn end_left_behind(&self, run: &RunId) -> HostResult<usize> {
        self.act("end_left_behind", run.to_string())?;
        Ok(std::mem::take(&mut lock(&self.shell).left_behind))
    }

    fn age(&self, pid: u32) -> HostResult<Option<Duration>> {
        self.ask("age", pid.to_string().as_ref())?;
        let began = lock(&self.shell).began.get(&pid).copied();
        Ok(began.map(|began| self.elapsed().saturating_sub(began)))
    }

    fn cores(&self) -> usize {
        CORES
    }

    fn using(&self, directory: &Path) -> HostResult<Vec<u32>> {
        self.ask("using", directory)?;
        Ok(lock(&self.shell).using.get(directory).cloned().unwrap_or_default())
    }

    fn signal(&self, pid: u32, signal: &str) -> HostResult<()> {
        self.act("signal", format!("{signal} {pid}"))?;
        let react = lock(&self.shell).on_signal.clone();
        react.into_iter().for_each(|react| react(self));
        Ok(())
    }

    fn family(&self, program: &str, _: Option<u32>) -> HostResult<Vec<ProcessFiles>> {
        self.ask("family", program.as_ref())?;
        Ok(lock(&self.shell).families.get(program).cloned().unwrap_or_default())
    }
}
