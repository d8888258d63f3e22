//! Plain lines, for hooks, CI and files: no control codes.

use release_core::event::{Event, Observer, Outcome, StepEnd};
use release_core::run::Action;

use super::seconds;

/// Writes a line per step.
pub(super) struct Plain;

impl Observer for Plain {
    fn observe(&self, event: &Event) {
        if let Some(text) = text(event) {
            super::line(&text);
        }
    }
}

/// The line that tells an event; `None` for what only a live display or a log shows.
pub(super) fn text(event: &Event) -> Option<String> {
    match event {
        Event::Started { action, release, revision } => Some(match action {
            Action::Deploy => format!("deploying {} as {release}", revision.short()),
            Action::Rollback => format!("rolling back to {release}"),
            Action::Restart => format!("restarting {release}"),
        }),
        // Most apps have no use for some steps: what did nothing is told by the log.
        Event::StepEnded { end: StepEnd::Skipped(_), .. } => None,
        Event::StepEnded { step, end, seconds } => Some(step_line(step, end, *seconds)),
        Event::UndoEnded { step, error: None } => Some(format!("  undone   {step}")),
        Event::UndoEnded { step, error: Some(error) } => Some(format!("  not undone {step}: {error}")),
        Event::Warning { text } => Some(format!("warning: {text}")),
        Event::Finished { outcome, release, seconds, .. } => finished(*outcome, release.as_str(), *seconds),
        Event::StepStarted { .. }
        | Event::Progress { .. }
        | Event::Line { .. }
        | Event::UndoStarted { .. } => None,
    }
}

/// `  checkout        0.21 s  note`.
pub(super) fn step_line(step: &str, end: &StepEnd, took: f64) -> String {
    let took = seconds(took);
    match end {
        StepEnd::Done(None) => format!("  {step:<15} {took:>8}"),
        StepEnd::Done(Some(note)) => format!("  {step:<15} {took:>8}  {note}"),
        StepEnd::Skipped(why) => format!("  {step:<15} {:>8}  {why}", "-"),
        StepEnd::Failed(_) => format!("  {step:<15} {took:>8}  failed"),
    }
}

fn finished(outcome: Outcome, release: &str, took: f64) -> Option<String> {
    let took = seconds(took);
    match outcome {
        Outcome::Deployed => Some(format!("{release} is live, after {took}")),
        Outcome::Restarted => Some(format!("{release} runs anew, after {took}")),
        Outcome::Unchanged => {
            Some(format!("{release} is live already; nothing to do (--force builds it again)"))
        }
        // What failed and what is live now is told as an error, with its reason.
        Outcome::Failed | Outcome::RolledBack | Outcome::Stuck => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_did_nothing_is_told_by_the_log_alone() {
        let ended = |end| Event::StepEnded { step: "cron".to_owned(), end, seconds: 0.5 };
        let skipped = StepEnd::Skipped("there are none".to_owned());
        assert_eq!(step_line("cron", &skipped, 0.5), "  cron                   -  there are none");
        assert_eq!(text(&ended(skipped)), None);
        assert_eq!(text(&ended(StepEnd::Done(None))).as_deref(), Some("  cron              0.50 s"));
    }
}
