//! What would stop a deploy, found before the first change, and all of it at once.

use std::path::{Path, PathBuf};

use release_core::config::{Config, Installer, Service};
use release_core::env_file;
use release_core::host::{Host, HostError, HostResult};
use release_core::layout::{Layout, SOCKET_PATH_LIMIT};
use release_core::release::{Generation, ReleaseId};
use release_core::step::StepError;

use crate::activate::not_a_link;
use crate::retire::RETIRE;

/// One thing that would stop a deploy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// A lowercase sentence.
    pub what: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Problem {
    pub(crate) fn new(what: impl Into<String>, help: impl Into<String>) -> Self {
        Self { what: what.into(), help: Some(help.into()) }
    }
}

impl From<HostError> for Problem {
    fn from(error: HostError) -> Self {
        let help = error.help();
        Self { what: StepError::from(error).in_one_line(), help }
    }
}

/// Everything that would stop a deploy of `config`, as far as this machine can tell beforehand.
pub fn problems(host: &dyn Host, layout: &Layout, config: &Config, has_frontend: bool) -> Vec<Problem> {
    let mut problems = Vec::new();
    for check in [places, space, linked_files, env_file] {
        check(host, layout, config, &mut problems).unwrap_or_else(|error| problems.push(error.into()));
    }
    for (program, help) in needed_programs(config, has_frontend) {
        if host.find_program(&program).is_none() {
            problems.push(Problem::new(format!("`{program}` is not installed"), help));
        }
    }
    for service in &config.services {
        service_problems(layout, service, &mut problems);
    }
    problems
}

fn places(host: &dyn Host, layout: &Layout, _: &Config, problems: &mut Vec<Problem>) -> HostResult<()> {
    if let Some((what, help)) = not_a_link(host, layout)? {
        problems.push(Problem::new(what, help));
    }
    let inner = [layout.releases(), layout.shared(), layout.cache(), layout.state()];
    let mut places = vec![layout.root().to_path_buf()];
    for place in inner {
        // What is absent yet is made, and then it is the root that must be writable.
        if host.kind(&place)?.is_some() {
            places.push(place);
        }
    }
    for place in places {
        if !host.is_writable(&place)? {
            let path = place.display();
            problems.push(Problem::new(
                format!("this user may not write in {path}"),
                format!("give it to the user who deploys: `sudo chown -R \"$USER\" {path}`"),
            ));
        }
    }
    Ok(())
}

/// A deploy needs this much at least, however small the app.
const LEAST_BYTES: u64 = 200_000_000;
const LEAST_INODES: u64 = 10_000;

fn space(host: &dyn Host, layout: &Layout, _: &Config, problems: &mut Vec<Problem>) -> HostResult<()> {
    let newest = newest_release(host, layout)?;
    let size = newest.map_or(Ok(0), |release| host.size(&release))?;
    let needed = LEAST_BYTES.max(2 * size);
    let free = host.space(layout.root())?;
    let path = layout.root().display();
    if free.bytes < needed {
        problems.push(Problem::new(
            format!(
                "{} MB are free at {path}, and a release needs {} MB",
                free.bytes / 1_000_000,
                needed / 1_000_000
            ),
            format!("free some space, or keep fewer releases (`keep:`): `df -h {path}`"),
        ));
    }
    if free.inodes < LEAST_INODES {
        problems.push(Problem::new(
            format!("{} inodes are free at {path}, and a release needs {LEAST_INODES}", free.inodes),
            format!("remove small files that nobody needs: `df -i {path}`"),
        ));
    }
    Ok(())
}

fn newest_release(host: &dyn Host, layout: &Layout) -> HostResult<Option<PathBuf>> {
    let is_release =
        |path: &Path| path.file_name().and_then(|name| name.to_str()?.parse::<ReleaseId>().ok()).is_some();
    // Names sort by time.
    Ok(host.list(&layout.releases())?.into_iter().rfind(|path| is_release(path)))
}

fn linked_files(
    host: &dyn Host,
    layout: &Layout,
    config: &Config,
    problems: &mut Vec<Problem>,
) -> HostResult<()> {
    for file in &config.linked_files {
        let path = layout.shared().join(file);
        if host.resolve(&path)?.is_none() {
            problems.push(Problem::new(
                format!("the linked file {} does not exist", path.display()),
                format!("put it there, or take `{file}` out of linked_files"),
            ));
        }
    }
    Ok(())
}

fn env_file(
    host: &dyn Host,
    layout: &Layout,
    config: &Config,
    problems: &mut Vec<Problem>,
) -> HostResult<()> {
    let path = layout.shared().join(&config.env_file);
    let name = path.display();
    let Some(contents) = host.read(&path)? else {
        // The usual name is only a guess; another one was written down by somebody.
        if config.env_file != Config::default().env_file && !config.linked_files.contains(&config.env_file) {
            problems.push(Problem::new(
                format!("the env file {name} does not exist"),
                "write it, or take `env_file:` away",
            ));
        }
        return Ok(());
    };
    match String::from_utf8(contents).map(|text| env_file::parse(&text)) {
        Ok(Ok(_)) => {}
        Ok(Err(lines)) => problems.extend(lines.into_iter().map(|line| {
            Problem::new(format!("{name}:{line} is no `NAME=value`"), "begin a comment with `#`")
        })),
        Err(_) => problems.push(Problem::new(format!("{name} is not UTF-8 text"), "save it as UTF-8")),
    }
    Ok(())
}

/// What must be on `PATH`, and how it gets there.
fn needed_programs(config: &Config, has_frontend: bool) -> Vec<(String, String)> {
    let mut needed = vec![(
        interpreter(config),
        "install it with its `venv` module, or name another one: `python: {version: \"3.11\"}`".to_owned(),
    )];
    if config.python.installer == Installer::Uv {
        needed.push(("uv".to_owned(), "install it, or say `python: {installer: auto}`".to_owned()));
    }
    if has_frontend {
        let commands =
            config.frontend.iter().flatten().flat_map(|frontend| [&frontend.install, &frontend.build]);
        let mut programs: Vec<&str> =
            commands.filter_map(|command| command.split_whitespace().next()).collect();
        programs.extend(if programs.is_empty() { vec!["node", "npm"] } else { vec!["node"] });
        // A path is looked for in the front end's directory, which is not checked out yet.
        programs.retain(|program| !program.contains('/'));
        programs.sort_unstable();
        programs.dedup();
        let help = "the front end is built with it: install Node.js";
        needed.extend(programs.into_iter().map(|program| (program.to_owned(), help.to_owned())));
    }
    needed
}

/// `python3`, or `python3.11` for a version `3.11` or `3.11.4`.
fn interpreter(config: &Config) -> String {
    match &config.python.version {
        Some(version) => format!("python{}", version.splitn(3, '.').take(2).collect::<Vec<_>>().join(".")),
        None => "python3".to_owned(),
    }
}

fn service_problems(layout: &Layout, service: &Service, problems: &mut Vec<Problem>) {
    let name = &service.name;
    let length = layout.socket(&longest_generation(), name).as_os_str().len();
    if length > SOCKET_PATH_LIMIT {
        problems.push(Problem::new(
            format!(
                "services.{name}: its socket's path has {length} bytes, and {SOCKET_PATH_LIMIT} is the limit"
            ),
            "use a shorter root, or a shorter name for the service",
        ));
    }
    if name == RETIRE {
        problems.push(Problem::new(
            format!("services.{name} is a name that release itself uses"),
            "choose another name",
        ));
    }
    let words: Vec<&str> = service.command.split_whitespace().collect();
    if let Some((what, help)) = command_problem(&words) {
        problems.push(Problem::new(format!("services.{name}: its command {what}"), help));
    }
}

/// Every id is as long as any other; nobody boots a release more than 99 times.
fn longest_generation() -> Generation {
    let release = "20000101T000000Z-0000000".parse().expect("this is how an id looks");
    Generation { release, number: 99 }
}

fn command_problem(words: &[&str]) -> Option<(String, String)> {
    let first = words.first().copied().unwrap_or_default();
    if first.is_empty() {
        return Some((
            "names no program".to_owned(),
            "name one: `gunicorn shop.wsgi --bind unix:$SOCKET`".to_owned(),
        ));
    }
    if first.contains('=') {
        return Some((format!("begins with a variable, `{first}`"), "put variables into `env:`".to_owned()));
    }
    if let Some(operator) =
        words.iter().find(|word| ["&&", "||", "|", ";", "&", ">", ">>", "<"].contains(word))
    {
        let help = format!("put it into a script, or run `sh -c '… {operator} …'`");
        return Some((format!("uses `{operator}`, and no shell runs it"), help));
    }
    let port = words.windows(2).find_map(|pair| fixed_port(pair[0], pair[1]))?;
    let help = "let it listen on $SOCKET alone".to_owned();
    Some((format!("listens on port {port} too, which two generations cannot share"), help))
}

fn fixed_port<'a>(option: &str, value: &'a str) -> Option<&'a str> {
    let port = match option {
        "--bind" | "-b" => value.rsplit_once(':')?.1,
        "--port" => value,
        _ => return None,
    };
    (!port.is_empty() && port.bytes().all(|c| c.is_ascii_digit())).then_some(port)
}
