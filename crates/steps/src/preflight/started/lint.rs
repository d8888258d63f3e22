//! What is unsafe in the way in which others start the app.

use release_core::config::{Config, Service};
use release_core::layout::Layout;
use release_core::release::ReleaseId;

use super::{Problem, Starter};

/// Our own program.
const DOOR: &str = "release";

/// What stands against a starter that names the root.
pub(super) fn problems(starter: &Starter, layout: &Layout, config: &Config) -> Vec<Problem> {
    let commands: Vec<Vec<String>> = starter.commands.0.iter().map(|command| words(command)).collect();
    if commands.iter().all(|words| is_our_own(words)) {
        return Vec::new();
    }
    // Switched off, it does nothing else wrong either.
    if let Some(twice) = commands.iter().find_map(|words| twice(starter, words, config)) {
        return vec![twice];
    }
    if let Some(release) = single_release(starter, layout) {
        return vec![of_one_release(starter, &release, layout)];
    }
    let through = commands.iter().find_map(|words| through_current(starter, words, layout));
    let preloaded = commands.iter().find_map(|words| preloaded(starter, words));
    through.into_iter().chain(preloaded).collect()
}

/// Words of a command, without the signs of systemd before its program.
fn words(command: &str) -> Vec<String> {
    let plain = command.trim_start_matches(['-', '@', ':', '+', '!']);
    shell_words::split(plain).unwrap_or_else(|_| plain.split_whitespace().map(str::to_owned).collect())
}

fn base(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

/// A unit or a program that `release` wrote, or one by `release generate`.
fn is_our_own(words: &[String]) -> bool {
    let calls = |verb: &str| words.iter().any(|word| word == verb);
    words.first().is_some_and(|word| base(word) == DOOR)
        && (!calls("exec") || calls("--boot") || calls("--standing"))
}

/// The release that is named where `current` should be.
fn single_release(starter: &Starter, layout: &Layout) -> Option<String> {
    let releases = format!("{}/", layout.releases().display());
    starter.values().find_map(|value| {
        let (_, rest) = value.split_once(&releases)?;
        let name = rest.split(['/', ' ', '"', '\'', ':']).next()?;
        name.parse::<ReleaseId>().is_ok().then(|| name.to_owned())
    })
}

fn of_one_release(starter: &Starter, release: &str, layout: &Layout) -> Problem {
    let root = layout.root().display();
    Problem::new(
        format!("{} runs from the single release {release}, whatever is active", starter.at),
        format!("let a service of release.yml run it, or start it by `release exec --root {root} -- …`"),
    )
}

/// A process that was started through `current` imports what it has not loaded yet from the next release.
fn through_current(starter: &Starter, words: &[String], layout: &Layout) -> Option<Problem> {
    let current = format!("{}/", layout.current().display());
    let script = words.iter().take(2).find(|word| word.starts_with(&current))?;
    let chdir = words.iter().any(|word| word == "--chdir" || word.starts_with("--chdir="));
    // With both the whole of it changes when the master is told to reload.
    let is_whole = chdir && base(&words[0]).starts_with("python");
    if starter.ends || is_whole {
        return None;
    }
    let program = base(script);
    let reload = match (starter.directory.is_some() || chdir, starter.reloads.0.is_empty()) {
        (false, _) => ", and names no directory to find the app in",
        (true, false) => ", and a reload mixes the new code with the old environment",
        (true, true) => "",
    };
    let root = layout.root().display();
    Some(Problem::new(
        format!(
            "{} starts `{program}` through {current}: what it imports late comes from the next release{reload}",
            starter.at
        ),
        format!(
            "let a service of release.yml run it, or start it by `release exec --root {root} -- {program} …`"
        ),
    ))
}

/// A master that has loaded the app before it forks goes on with the old code.
fn preloaded(starter: &Starter, words: &[String]) -> Option<Problem> {
    let preloads = words.iter().any(|word| word == "--preload" || word == "--preload-app");
    let hup = starter.reloads.0.iter().find(|reload| reload.contains("HUP") || reload.contains("kill -1"))?;
    preloads.then(|| {
        Problem::new(
            format!(
                "{} is reloaded by `{hup}`, and what its master has preloaded stays the old code",
                starter.at
            ),
            "take `--preload` away, or the reload",
        )
    })
}

/// The service of release.yml that it runs a second time.
fn twice(starter: &Starter, words: &[String], config: &Config) -> Option<Problem> {
    let service = config.services.iter().find(|service| is_same(service, words))?;
    Some(Problem::new(
        format!(
            "{} runs what services.{} of release.yml runs: both of them at once",
            starter.at, service.name
        ),
        starter.off.clone(),
    ))
}

const CELERY: [&str; 3] = ["worker", "beat", "flower"];

fn is_same(service: &Service, words: &[String]) -> bool {
    let own = self::words(&service.command);
    let (program, own) = program(&own);
    let Some(at) = words.iter().position(|word| base(word) == program) else { return false };
    let has = |list: &[String], word: &str| list.iter().any(|other| other == word);
    let rest = &words[at + 1..];
    let names = names(own);
    match program {
        "celery" => CELERY.iter().any(|kind| has(own, kind) && has(rest, kind)),
        "manage.py" => names.first().is_some_and(|command| has(rest, command)),
        _ => names.is_empty() || names.iter().any(|name| has(rest, name)),
    }
}

/// What a command really runs, and the words after that: `python -m gunicorn` is gunicorn.
fn program(words: &[String]) -> (&str, &[String]) {
    let is_python = words.first().is_some_and(|word| base(word).starts_with("python"));
    let at = match words.get(1).map(String::as_str) {
        Some("-m") if is_python => 2,
        Some(script) if is_python && !script.starts_with('-') => 1,
        _ => 0,
    };
    words.get(at).map_or(("", &[]), |word| (base(word), &words[at + 1..]))
}

/// The words that say what is run: the app, not how.
fn names(words: &[String]) -> Vec<String> {
    let is_name = |word: &&String| {
        word.contains(|c: char| c.is_ascii_alphabetic())
            && !word.starts_with('-')
            && !word.contains(['/', '$', '='])
    };
    words.iter().filter(is_name).cloned().collect()
}
