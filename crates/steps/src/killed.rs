//! What people are told of a build that the kernel ended, or gave no more memory.

use release_core::command::Exit;
use release_core::config::Size;
use release_core::run::Run;
use release_core::step::StepError;

/// Says so when a command was killed, as when memory runs out, or was refused more of it; other
/// failures are `or`'s.
pub(crate) fn explain_killed(
    run: &Run,
    error: StepError,
    or: impl FnOnce(StepError) -> StepError,
) -> StepError {
    match run.config.build.memory {
        Some(memory) => explain_refused(memory, error, |error| explain_ended(error, or)),
        None => explain_ended(error, or),
    }
}

/// Says so when release.yml allows no more memory than it takes.
fn explain_refused(memory: Size, error: StepError, or: impl FnOnce(StepError) -> StepError) -> StepError {
    const SIGNS: [&str; 5] = [
        "MemoryError",
        "heap out of memory",
        "Array buffer allocation failed",
        "Cannot allocate memory",
        "virtual memory exhausted",
    ];
    let StepError::Command { command, exit, output, help: None } = error else { return error };
    // node ends itself by one of these when it gets none.
    let is_sign = matches!(exit, Exit::Signal(5 | 6) | Exit::Code(133 | 134))
        || output.iter().any(|line| SIGNS.iter().any(|sign| line.contains(sign)));
    if !is_sign {
        return or(StepError::Command { command, exit, output, help: None });
    }
    let help = format!(
        "`build: {{memory: {memory}}}` of release.yml allows it no more: raise it; for node's own limit, \
         `env: {{NODE_OPTIONS: --max-old-space-size=2048}}`"
    );
    StepError::Command { command, exit, output, help: Some(help) }
}

fn explain_ended(error: StepError, or: impl FnOnce(StepError) -> StepError) -> StepError {
    // A compiler or a script that was killed fails its parents by an exit code of their own.
    const SIGNS: [&str; 4] =
        ["Killed signal", "signal: 9", "SIGKILL", "ELIFECYCLE  Command failed with exit code 137"];
    let StepError::Command { command, exit, output, help: None } = error else { return error };
    let is_sign = |line: &String| line == "Killed" || SIGNS.iter().any(|sign| line.contains(sign));
    if !exit.was_killed() && !output.iter().any(is_sign) {
        return or(StepError::Command { command, exit, output, help: None });
    }
    let help = "it was killed, as when memory runs out: `free -h; dmesg | grep -i oom`; give the server more memory or swap";
    StepError::Command { command, exit, output, help: Some(help.to_owned()) }
}

#[cfg(test)]
mod tests {
    use release_testkit::a_run;

    use super::*;

    #[test]
    fn only_what_was_killed_is_said_to_be() {
        let told = |exit, line: &str| {
            let output = vec![line.to_owned()];
            let error = StepError::Command { command: "npm run build".to_owned(), exit, output, help: None };
            let told = explain_killed(&a_run(), error, |error| error);
            told.help().is_some_and(|help| help.contains("memory runs out"))
        };
        assert!(told(Exit::Signal(9), ""));
        assert!(told(Exit::Code(137), ""));
        assert!(told(Exit::Code(1), "c++: fatal error: Killed signal terminated program cc1plus"));
        assert!(told(Exit::Code(1), "Killed"));
        assert!(!told(Exit::Code(1), "Killed two birds"));
        assert!(!told(Exit::Signal(15), ""));
    }

    #[test]
    fn a_build_that_was_refused_memory_is_told_by_whom() {
        let mut run = a_run();
        run.config.build.memory = Some(Size(1 << 30));
        let help = |exit, line: &str| {
            let output = vec![line.to_owned()];
            let error = StepError::Command { command: "npm run build".to_owned(), exit, output, help: None };
            explain_killed(&run, error, |error| error).help().unwrap_or_default()
        };
        assert!(help(Exit::Code(1), "MemoryError").starts_with("`build: {memory: 1g}`"));
        assert!(help(Exit::Code(134), "").starts_with("`build: {memory: 1g}`"));
        assert!(help(Exit::Signal(9), "").contains("memory runs out"));
        assert_eq!(help(Exit::Code(1), "SyntaxError"), "");
    }
}
