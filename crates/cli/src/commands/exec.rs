//! `release exec`: the one door through which the app's processes, cron jobs and people start
//! something: all see the same environment and directory.

use release_core::command::{Command, Variables};
use release_core::config::{Handover, Service};
use release_core::environment;
use release_core::host::{Files, Network};
use release_core::release::{Generation, ReleaseId};
use release_core::release_record::ReleaseRecord;
use release_core::{server, worker};

use crate::error::Error;
use crate::site::{Site, caller};

/// Becomes `words`, or the command of a service; comes back only if that fails.
pub(crate) fn run(
    site: &Site,
    release: Option<ReleaseId>,
    service: Option<(String, Generation)>,
    words: &[String],
) -> Result<u8, Error> {
    let booted = service.as_ref().map(|(_, generation)| generation.release.clone());
    let release = match booted.or(release) {
        Some(release) => release,
        None => site.current()?.ok_or_else(nothing_live)?,
    };
    let record = ReleaseRecord::read(&site.host, &site.layout, &release)?.filter(|_| site.exists(&release));
    let record = record.ok_or_else(|| unknown(&release))?;
    let env_file = site.env_file(&record.config)?;
    let mut env = environment::of_release(
        &site.layout,
        &release,
        &record.revision,
        &record.config,
        &env_file,
        &caller(),
    );
    let words = match service {
        None => words.to_vec(),
        Some((name, generation)) => {
            let found = record.config.services.iter().find(|service| service.name == name);
            let service = found.ok_or_else(|| no_service(&name, &release))?;
            env.extend(environment::of_service(&site.layout, &generation, service));
            if words.is_empty() {
                env.extend(handed_down(&caller()));
                service_words(site, &generation, service, &env)?
            } else {
                words.to_vec()
            }
        }
    };
    let (program, args) = words.split_first().ok_or_else(|| no_service("", &release))?;
    let command = Command::new(program, site.layout.release(&release)).args(args).env(env).isolated();
    Err(release_host::become_program(&command).into())
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
    env: &Variables,
) -> Result<Vec<String>, Error> {
    let words =
        environment::expand(&service.command, env).map_err(|variable| undefined(&variable, &service.name))?;
    match service.handover {
        Handover::Socket => {
            make_way(site, generation, &service.name)?;
            let control_socket = has_control_socket(site, &generation.release)?;
            Ok(server::complete(words, service.first_wait(), control_socket))
        }
        Handover::Overlap => Ok(worker::complete(words, &generation.program(&service.name))),
        Handover::Replace => Ok(words),
    }
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
fn make_way(site: &Site, generation: &Generation, service: &str) -> Result<(), Error> {
    let socket = site.layout.socket(generation, service);
    if !site.host.socket_use(&socket)?.listening {
        site.host.remove(&socket)?;
        site.host.remove(&site.layout.socket_lock(generation, service))?;
    }
    Ok(())
}

fn nothing_live() -> Error {
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

fn undefined(variable: &str, service: &str) -> Error {
    let what = format!("services.{service}.command uses ${variable}, which is not set");
    usage(what, "set it under `env:` in release.yml or in the env file; `$$` stands for a dollar sign")
}

fn usage(what: String, help: &str) -> Error {
    Error::Usage { what, help: help.to_owned() }
}
