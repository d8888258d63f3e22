//! `release exec`: the one door through which the app's processes, cron jobs and people start
//! something: all see the same environment and directory.

use std::path::Path;

use release_core::command::{Command, Secret, Variables};
use release_core::config::{Config, Handover, Service};
use release_core::environment;
use release_core::host::{Accounts, Files, Network, Processes};
use release_core::layout::Layout;
use release_core::release::{Generation, ReleaseId};
use release_core::release_record::ReleaseRecord;
use release_core::{server, standing, worker};
use release_steps::reload;

use crate::error::Error;
use crate::site::{Site, caller};

/// One service of one boot of a release, as the process manager asks for it.
pub(crate) struct Booted {
    pub(crate) service: String,
    pub(crate) generation: Generation,
    /// Which of several.
    pub(crate) instance: Option<u32>,
}

/// Becomes `words`, or the command of a service; comes back only if that fails.
pub(crate) fn run(
    site: &Site,
    release: Option<ReleaseId>,
    booted: Option<Booted>,
    words: &[String],
) -> Result<u8, Error> {
    let named_release = booted.as_ref().map(|booted| booted.generation.release.clone());
    let release = match named_release.or(release) {
        Some(release) => release,
        None => site.current()?.ok_or_else(nothing_live)?,
    };
    let record = match &booted {
        Some(Booted { generation, .. }) => {
            let record = ReleaseRecord::of_generation(&site.host, &site.layout, generation)?;
            record.filter(|_| site.exists(&release)).ok_or_else(|| unknown(&release))?
        }
        None => record(site, &release)?,
    };
    let service = match &booted {
        Some(booted) => Some(named(&record.config, &booted.service, &release)?),
        None => None,
    };
    let settings = service.map(|service| service.process.clone()).unwrap_or_default();
    let mut env = env(site, &record, &caller_as(site, settings.user.as_deref())?)?;
    let words = match service.zip(booted) {
        None => words.to_vec(),
        Some((service, Booted { generation, instance, .. })) => {
            environment::add_service(&mut env, &site.layout, &generation, service, instance);
            let name = service.instance_name(instance);
            if words.is_empty() {
                env.extend(handed_down(&caller()));
                service_words(site, &generation, service, &name, &env)?
            } else {
                words.to_vec()
            }
        }
    };
    let (program, args) = words.split_first().ok_or_else(|| no_service("", &release))?;
    let command =
        Command::new(program, site.layout.app(&release, &record.config)).args(args).env(env).isolated();
    Err(release_host::become_program(&command, &settings).into())
}

fn named<'a>(config: &'a Config, name: &str, release: &ReleaseId) -> Result<&'a Service, Error> {
    let found = config.services.iter().find(|service| service.name == name);
    found.ok_or_else(|| no_service(name, release))
}

/// The caller's environment, as the user has it whom the process becomes.
pub(crate) fn caller_as(site: &Site, user: Option<&str>) -> Result<Variables, Error> {
    let mut env = caller();
    if let Some(user) = user.map(|name| site.host.user(name)).transpose()?.flatten() {
        let (home, shell) = (user.home.display().to_string(), user.shell.display().to_string());
        let own = [("HOME", home), ("SHELL", shell), ("USER", user.name.clone()), ("LOGNAME", user.name)];
        env.extend(own.map(|(name, value)| (name.to_owned(), Secret::new(value))));
    }
    Ok(env)
}

/// What is known of a release that is here.
pub(crate) fn record(site: &Site, release: &ReleaseId) -> Result<ReleaseRecord, Error> {
    let record = ReleaseRecord::read(&site.host, &site.layout, release)?.filter(|_| site.exists(release));
    record.ok_or_else(|| unknown(release))
}

/// The environment of a release, for somebody with the variables `caller`.
pub(crate) fn env(site: &Site, record: &ReleaseRecord, caller: &Variables) -> Result<Variables, Error> {
    let ReleaseRecord { release, revision, config, .. } = record;
    let env_file = site.env_file(config)?;
    let cores = site.host.cores();
    Ok(environment::of_release(&site.layout, release, revision, config, &env_file, caller, cores))
}

/// Becomes the master of `service`, which finds everything through a link of its own; comes back only
/// if that fails. The release and the boot are those for which it was started first.
pub(crate) fn standing(site: &Site, service: &str, first: Option<(ReleaseId, u32)>) -> Result<u8, Error> {
    let (layout, host) = (&site.layout, &site.host);
    let release = standing_release(site, service)?;
    let first = first.map(|(release, number)| Generation { release, number });
    let record = match first.filter(|first| first.release == release) {
        Some(first) => {
            ReleaseRecord::of_generation(host, layout, &first)?.ok_or_else(|| unknown(&release))?
        }
        None => record(site, &release)?,
    };
    let service = named(&record.config, service, &release)?;
    let settings = &service.process;
    let env = env(site, &record, &caller_as(site, settings.user.as_deref())?)?;
    let mut env = environment::of_standing(layout, &record.config, &env, service);
    env.extend(handed_down(&caller()));
    let words = expand(service, &env)?;
    let app = layout.standing_app(&record.config, &service.name);
    let words = standing::through_link(server_words(site, &release, service, words)?, &app);
    make_way(site, &layout.standing_socket(&service.name))?;
    let stamp = reload::stamp(host, layout, &release, &record.config, service)?;
    host.write(&layout.standing_stamp(&service.name), stamp.as_bytes(), 0o600)?;
    let (program, args) = words.split_first().ok_or_else(|| no_service(&service.name, &release))?;
    let command = Command::new(program, app).args(args).env(env).isolated();
    Err(release_host::become_program(&command, settings).into())
}

/// The release that the master of `service` is led to.
fn standing_release(site: &Site, service: &str) -> Result<ReleaseId, Error> {
    let link = site.layout.standing_release(service);
    if let Some(release) = site.link(&link)? {
        return Ok(release);
    }
    // An earlier version made none.
    let current = site.current()?.ok_or_else(nothing_live)?;
    site.host.replace_link(&link, &site.layout.standing_target(&current))?;
    Ok(current)
}

/// What a process manager tells a program, and no other program.
fn handed_down(caller: &Variables) -> Variables {
    let told = environment::HANDED_DOWN.iter().filter_map(|name| caller.get_key_value(*name));
    told.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The command of a service, with what it needs to hand its work over.
fn service_words(
    site: &Site,
    generation: &Generation,
    service: &Service,
    name: &str,
    env: &Variables,
) -> Result<Vec<String>, Error> {
    let words = expand(service, env)?;
    match service.handover {
        Handover::Socket | Handover::Reload => {
            make_way(site, &site.layout.socket(generation, name))?;
            server_words(site, &generation.release, service, words)
        }
        Handover::Overlap | Handover::Replace => {
            let program = generation.program(name);
            if !service.leaves_no_orphan() {
                site.host.end_orphans(&program)?;
            }
            let overlaps = service.handover == Handover::Overlap;
            Ok(if overlaps { worker::complete(words, &program) } else { words })
        }
    }
}

fn expand(service: &Service, env: &Variables) -> Result<Vec<String>, Error> {
    environment::expand(&service.command, env)
        .map_err(|variable| undefined(&variable, &format!("services.{}.command", service.name)))
}

fn server_words(
    site: &Site,
    release: &ReleaseId,
    service: &Service,
    words: Vec<String>,
) -> Result<Vec<String>, Error> {
    Ok(server::complete(words, service.first_wait(), has_control_socket(site, release)?))
}

/// Whether the release's gunicorn is one that would share a control socket with others.
fn has_control_socket(site: &Site, release: &ReleaseId) -> Result<bool, Error> {
    let mut installed = Vec::new();
    for python in site.host.list(&site.layout.venv(release).join("lib"))? {
        installed.extend(site.host.list(&python.join("site-packages"))?);
    }
    let names = installed.iter().filter_map(|path| path.file_name()?.to_str());
    Ok(server::has_control_socket(names))
}

/// After a crash or a power failure the socket's file is still there, and many a server refuses
/// to start because of it: then nobody would serve until the next deploy.
fn make_way(site: &Site, socket: &Path) -> Result<(), Error> {
    if !site.host.socket_use(socket)?.listening {
        site.host.remove(socket)?;
        // What daphne keeps beside it.
        site.host.remove(&Layout::socket_lock(socket))?;
    }
    Ok(())
}

pub(crate) fn nothing_live() -> Error {
    usage("nothing is live yet".to_owned(), "deploy a revision first, or name a release by `--release`")
}

fn unknown(release: &ReleaseId) -> Error {
    usage(format!("{release} is not here"), "choose one of `release list`")
}

fn no_service(name: &str, release: &ReleaseId) -> Error {
    usage(
        format!("{release} has no service `{name}` with a command"),
        "look at `services:` in its release.yml",
    )
}

/// A command, which stands at `place`, needs a variable that nobody sets.
pub(crate) fn undefined(variable: &str, place: &str) -> Error {
    let what = format!("{place} uses ${variable}, which is not set");
    usage(what, "set it under `env:` in release.yml or in the env file; `$$` stands for a dollar sign")
}

fn usage(what: String, help: &str) -> Error {
    Error::Usage { what, help: help.to_owned() }
}
