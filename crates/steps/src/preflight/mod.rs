//! What would stop a deploy, found before the first change, and all of it at once.

mod accounts;
mod commands;
mod cron;
mod large_files;
mod live;
mod loaded;
mod nginx;
mod proxy;
mod started;
mod upgrade;

use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread;

use release_core::config::{Config, Manager};
use release_core::env_file;
use release_core::host::{Host, HostError, HostResult, Kind};
use release_core::layout::Layout;
use release_core::release::ReleaseId;
use release_core::step::{Context, StepError};

use crate::activate::not_a_link;
use crate::{frontend, ports, venv};

pub use cron::cron_problems;
pub use live::live_proxy_problems;
pub use proxy::proxy_problems;
pub use started::starter_problems;

/// One thing that would stop a deploy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// A lowercase sentence.
    pub what: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Problem {
    fn new(what: impl Into<String>, help: impl Into<String>) -> Self {
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
pub fn problems(host: &dyn Host, layout: &Layout, config: &Config) -> Vec<Problem> {
    let mut problems = Vec::new();
    for check in [places, space, linked_files] {
        check(host, layout, config, &mut problems).unwrap_or_else(|error| problems.push(error.into()));
    }
    problems.extend(service_problems(host, layout, config));
    problems
}

/// Everything that would keep the services of a release that is built from running by `config`.
pub fn service_problems(host: &dyn Host, layout: &Layout, config: &Config) -> Vec<Problem> {
    let mut problems = Vec::new();
    for check in [env_file, accounts::accounts, manager, held_ports, entries] {
        check(host, layout, config, &mut problems).unwrap_or_else(|error| problems.push(error.into()));
    }
    problems.extend(config.services.iter().flat_map(|service| commands::service_problems(layout, service)));
    problems.extend(config.cron.iter().flat_map(|entry| commands::entry_problems(layout, entry)));
    problems
}

/// What would keep the revision's files from being written, or its Python environment and front ends from being
/// built.
pub fn builder_problems(cx: &Context<'_>) -> Vec<Problem> {
    // Python and node take a moment each to say what they are.
    let (venv, frontends) = thread::scope(|scope| {
        let venv = scope.spawn(|| venv::problem(cx));
        let frontends = frontend::problems(cx);
        (venv.join(), frontends)
    });
    let venv = venv.unwrap_or_else(|panic| resume_unwind(panic));
    let large_files = large_files::problem(cx).unwrap_or_else(|error| Some(error.into()));
    let built = venv.into_iter().chain(frontends);
    let built = built.map(|error| Problem { what: error.in_one_line(), help: error.help() });
    built.chain(large_files).collect()
}

fn places(host: &dyn Host, layout: &Layout, _: &Config, problems: &mut Vec<Problem>) -> HostResult<()> {
    if let Some((what, help)) = not_a_link(host, layout)? {
        problems.push(Problem::new(what, help));
    }
    let inner = [layout.releases(), layout.shared(), layout.state()].into_iter().chain(cache_places(layout));
    let mut places = vec![layout.root().to_path_buf()];
    for place in inner {
        // What is absent yet is made, and then it is the root that must be writable.
        if host.kind(&place)?.is_some() {
            places.push(place);
        }
    }
    for place in places {
        if host
            .resolve(&place)?
            .is_some_and(|real| host.kind(&real).is_ok_and(|kind| kind != Some(Kind::Directory)))
        {
            let path = place.display();
            problems.push(Problem::new(
                format!("{path} is no directory"),
                format!("move it away: `mv {path} {path}.before`"),
            ));
        } else if !host.is_writable(&place)? {
            problems.push(not_writable(layout, &place));
        }
    }
    Ok(())
}

/// Where a deploy makes files in the cache.
fn cache_places(layout: &Layout) -> Vec<PathBuf> {
    let below = ["venv", "bundle", "node", "static", "tool"].map(|kind| layout.cache().join(kind));
    let ours = [layout.cache(), layout.cache_locks(), layout.cache_roots(), layout.cache_trash()];
    ours.into_iter().chain(below).collect()
}

fn not_writable(layout: &Layout, place: &Path) -> Problem {
    let path = place.display();
    let what = format!("this user may not write in {path}");
    let cache = layout.cache();
    if cache == layout.own_cache() || !place.starts_with(&cache) {
        return Problem::new(
            what,
            format!("give it to the user who deploys: `sudo chown -R \"$USER\" {path}`"),
        );
    }
    let cache = cache.display();
    // The directories below keep the group, so that it is said once and for all.
    let help = format!(
        "let a group of all users who share it write there: `sudo chgrp -R GROUP {cache}; sudo find {cache} \
         -maxdepth 1 -type d -exec chmod 2775 {{}} +`"
    );
    Problem::new(what, help)
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

fn manager(host: &dyn Host, _: &Layout, config: &Config, _: &mut Vec<Problem>) -> HostResult<()> {
    if config.services.is_empty() { Ok(()) } else { host.check_manager(&config.manager) }
}

fn held_ports(
    host: &dyn Host,
    layout: &Layout,
    config: &Config,
    problems: &mut Vec<Problem>,
) -> HostResult<()> {
    let found = ports::problems(host, layout, config)?;
    problems.extend(found.into_iter().map(|(what, help)| Problem::new(what, help)));
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

/// A user whom `/etc/cron.allow` keeps out may have no crontab.
fn entries(host: &dyn Host, _: &Layout, config: &Config, _: &mut Vec<Problem>) -> HostResult<()> {
    match config.timers().map(Manager::Systemd) {
        _ if config.cron.is_empty() => Ok(()),
        // As the manager of the services it was asked.
        Some(systemd) if systemd == config.manager && !config.services.is_empty() => Ok(()),
        Some(systemd) => host.check_manager(&systemd),
        None => host.crontab().map(drop),
    }
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
