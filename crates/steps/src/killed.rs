//! What people are told of a build that the kernel ended.

use release_core::step::StepError;

/// Says so when a command was killed, as when memory runs out; other failures are `or`'s.
pub(crate) fn explain_killed(error: StepError, or: impl FnOnce(StepError) -> StepError) -> StepError {
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
    use release_core::command::Exit;

    use super::*;

    #[test]
    fn only_what_was_killed_is_said_to_be() {
        let told = |exit, line: &str| {
            let output = vec![line.to_owned()];
            let error = StepError::Command { command: "npm run build".to_owned(), exit, output, help: None };
            let told = explain_killed(error, |error| error);
            told.help().is_some_and(|help| help.contains("memory runs out"))
        };
        assert!(told(Exit::Signal(9), ""));
        assert!(told(Exit::Code(137), ""));
        assert!(told(Exit::Code(1), "c++: fatal error: Killed signal terminated program cc1plus"));
        assert!(told(Exit::Code(1), "Killed"));
        assert!(!told(Exit::Code(1), "Killed two birds"));
        assert!(!told(Exit::Signal(15), ""));
    }
}
