//! What a process is given before it becomes a service: its user, its umask, its limits.

use std::ffi::CString;
use std::io;

use nix::unistd::{Gid, Uid, initgroups, setgid, setuid};
use release_core::config::{Bound, ProcessSettings, Resource};
use release_core::host::{Account, HostError, HostResult};
use rustix::fs::Mode;
use rustix::process::{Resource as Kernels, Rlimit, geteuid, setpriority_process, setrlimit, umask};

use crate::accounts;

/// Gives this process what `settings` say. Its user comes last: only root may do some of the rest.
pub(crate) fn apply(settings: &ProcessSettings) -> HostResult<()> {
    for (resource, bound) in &settings.limits {
        limit(*resource, *bound)?;
    }
    if let Some(nice) = settings.nice {
        let help = "only root may go below 0";
        setpriority_process(None, nice).map_err(|error| cannot(format!("be nice by {nice}"), help, error))?;
    }
    if let Some(mask) = settings.umask {
        umask(Mode::from_raw_mode(mask.0));
    }
    become_user(settings)
}

fn limit(resource: Resource, bound: Bound) -> HostResult<()> {
    let number = bound.number();
    let what = || format!("set the limit `{}` to {bound}", resource.name());
    setrlimit(kernel_name(resource), Rlimit { current: number, maximum: number })
        .map_err(|error| cannot(what(), "`ulimit -aH` shows up to where it may be raised here", error))
}

/// What the kernel calls a resource.
pub(crate) fn kernel_name(resource: Resource) -> Kernels {
    match resource {
        Resource::Nofile => Kernels::Nofile,
        Resource::Processes => Kernels::Nproc,
        Resource::Core => Kernels::Core,
        Resource::Memory => Kernels::As,
        Resource::FileSize => Kernels::Fsize,
        Resource::Stack => Kernels::Stack,
        Resource::LockedMemory => Kernels::Memlock,
    }
}

fn become_user(settings: &ProcessSettings) -> HostResult<()> {
    let user = settings.user.as_deref().map(known_user).transpose()?;
    let group = settings.group.as_deref().map(known_group).transpose()?;
    let Some(gid) = group.or(user.as_ref().map(|user| user.gid)) else { return Ok(()) };
    let own = geteuid().as_raw();
    if own != 0 && group.is_none() && user.as_ref().is_some_and(|user| user.uid == own) {
        return Ok(());
    }
    let help = "only root may: deploy as root, or take `user` and `group` away";
    let failed = |what: String| move |error: nix::Error| cannot(what, help, error);
    if let Some(user) = &user {
        let name = CString::new(user.name.as_str())
            .map_err(|error| cannot("name the user".to_owned(), help, error))?;
        initgroups(&name, Gid::from_raw(gid))
            .map_err(failed(format!("take the groups of `{}`", user.name)))?;
    }
    setgid(Gid::from_raw(gid)).map_err(failed(format!("change to group {gid}")))?;
    if let Some(user) = &user {
        setuid(Uid::from_raw(user.uid)).map_err(failed(format!("become the user `{}`", user.name)))?;
    }
    Ok(())
}

fn known_user(name: &str) -> HostResult<Account> {
    accounts::user(name)?.ok_or_else(|| nobody("user", name))
}

fn known_group(name: &str) -> HostResult<u32> {
    accounts::group(name)?.ok_or_else(|| nobody("group", name))
}

fn nobody(kind: &str, name: &str) -> HostError {
    let what = format!("become the {kind} `{name}`");
    cannot(what, "make it, or correct its name in release.yml", io::Error::from(io::ErrorKind::NotFound))
}

fn cannot(what: String, help: &str, source: impl Into<io::Error>) -> HostError {
    HostError::Setting { what, help: Some(help.to_owned()), source: source.into() }
}
