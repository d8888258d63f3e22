//! Steps that leave a mark in a fake world, and a journal whose records are effects among others.

use std::path::PathBuf;

use release_core::host::{Files, HostError};
use release_core::journal::{Entry, Journal, Mark};
use release_core::run::{Run, RunId};
use release_core::step::{Context, Look, Outcome, Step, StepError, UndoPolicy};
use release_testkit::FakeHost;

pub(crate) struct Deed {
    pub(crate) id: &'static str,
    pub(crate) fails: bool,
    pub(crate) undo_fails: bool,
}

pub(crate) fn deed(id: &'static str) -> Deed {
    Deed { id, fails: false, undo_fails: false }
}

pub(crate) fn place(id: &str) -> PathBuf {
    format!("/world/{id}").into()
}

fn half(id: &str) -> PathBuf {
    format!("/world/{id}.half").into()
}

fn refused(what: String) -> StepError {
    StepError::Refused { what, help: "do not tell it to".to_owned() }
}

impl Step for Deed {
    fn id(&self) -> &'static str {
        self.id
    }

    fn describe(&self, _: &Run) -> String {
        self.id.to_owned()
    }

    fn undo_policy(&self) -> UndoPolicy {
        UndoPolicy::Will("unmake it")
    }

    fn look(&self, _: &Context<'_>) -> Result<Look, StepError> {
        Ok(Look::Needed("it is a test".to_owned()))
    }

    fn run(&self, cx: &Context<'_>) -> Result<Outcome, StepError> {
        if cx.host.kind(&place(self.id))?.is_some() {
            return Ok(Outcome::Skipped("it stands".to_owned()));
        }
        cx.host.write(&half(self.id), b"", 0o644)?;
        if self.fails {
            return Err(refused(format!("{} was told to fail", self.id)));
        }
        cx.host.rename(&half(self.id), &place(self.id))?;
        Ok(Outcome::Done)
    }

    fn undo(&self, cx: &Context<'_>) -> Result<(), StepError> {
        if self.undo_fails {
            return Err(refused(format!("{} was told to stay", self.id)));
        }
        cx.host.remove(&place(self.id))?;
        Ok(cx.host.remove(&half(self.id))?)
    }
}

/// Each record is a file of the fake machine, so that its effects and the records have one order.
pub(crate) struct HostJournal<'a>(pub(crate) &'a FakeHost);

impl HostJournal<'_> {
    pub(crate) fn effect(step: &str, mark: Mark) -> String {
        format!("write /journal/{step}/{mark:?}")
    }
}

impl Journal for HostJournal<'_> {
    fn append(&self, _: &RunId, entry: Entry) -> Result<(), HostError> {
        let Entry::Step { step, mark, .. } = entry else { return Ok(()) };
        self.0.write(format!("/journal/{step}/{mark:?}").as_ref(), b"", 0o600)
    }
}
