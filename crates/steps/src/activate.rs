//! Makes the new release the active one: one rename of `current`.

use std::path::{Path, PathBuf};

use release_core::config::{Config, Handover, Service};
use release_core::host::{Host, HostResult, Kind};
use release_core::layout::Layout;
use release_core::pipeline::ACTIVATE;
use release_core::port::Port;
use release_core::release::{Generation, ReleaseId};
use release_core::run::Run;
use release_core::step::{Context, Look, Outcome, Step, StepError, UndoPolicy};

use crate::programs::services_of;
use crate::reload;
use crate::restored::{check_restored, revive};

/// Moves `current`.
#[derive(Clone, Copy, Debug)]
pub struct Activate;

impl Step for Activate {
    fn id(&self) -> &'static str {
        ACTIVATE
    }

    fn describe(&self, run: &Run) -> String {
        format!("point current at {}", run.release())
    }

    fn undo_policy(&self) -> UndoPolicy {
        UndoPolicy::Will("point current back and check what it leads to")
    }

    fn look(&self, cx: &Context<'_>) -> Result<Look, StepError> {
        refuse_no_link(cx.host, &cx.run.layout)?;
        if is_done(cx)? {
            return Ok(Look::Nothing(format!("current points at {} already", cx.run.release())));
        }
        Ok(Look::Needed(self.describe(cx.run)))
    }

    fn run(&self, cx: &Context<'_>) -> Result<Outcome, StepError> {
        let (host, layout, release) = (cx.host, &cx.run.layout, cx.run.release());
        refuse_no_link(host, layout)?;
        if is_done(cx)? {
            return Ok(Outcome::Skipped(format!("current points at {release} already")));
        }
        host.sync(&layout.release(release))?;
        remember_foreign(cx)?;
        link_sockets(cx, &cx.run.generation, &cx.run.config.services)?;
        point_current(host, layout, &layout.current_target(release))?;
        forget_previous(cx)?;
        if points_at(host, layout, release)? {
            return Ok(Outcome::Done);
        }
        Err(StepError::Refused {
            what: format!("current does not point at {release} right after it was pointed there"),
            help: format!("find out what else moves it: `ls -l {}`", layout.current().display()),
        })
    }

    fn undo(&self, cx: &Context<'_>) -> Result<(), StepError> {
        let (host, layout) = (cx.host, &cx.run.layout);
        if let Some(previous) = &cx.run.previous {
            revive(cx, previous);
        }
        if !points_at(host, layout, cx.run.release())? {
            return Ok(());
        }
        let previous = cx.run.previous.as_ref();
        match previous {
            Some(previous) => {
                reload::stand_in(cx, previous)?;
                go_back(cx, previous)?;
                check_restored(cx, previous)?;
            }
            None => match host.read_link(&layout.taken_over())? {
                Some(foreign) => point_current(host, layout, &foreign)?,
                None => host.remove(&layout.current())?,
            },
        }
        reload::return_to(cx, previous);
        Ok(())
    }
}

/// Makes a release active: nothing else moves `current`.
pub fn point_current(host: &dyn Host, layout: &Layout, target: &Path) -> HostResult<()> {
    host.replace_link(&layout.current(), target)
}

/// Why `current` cannot be moved, if it cannot: what is wrong, and what to do about it.
pub(crate) fn not_a_link(host: &dyn Host, layout: &Layout) -> HostResult<Option<(String, String)>> {
    let current = layout.current();
    let what = match host.kind(&current)? {
        None | Some(Kind::Link) => return Ok(None),
        Some(Kind::Directory) => "a directory",
        Some(Kind::File | Kind::Other) => "a file",
    };
    let path = current.display();
    let what = format!("{path} is {what}, and only a symlink can be switched in one step");
    Ok(Some((what, format!("move it away: `mv {path} {path}.before`"))))
}

fn refuse_no_link(host: &dyn Host, layout: &Layout) -> Result<(), StepError> {
    match not_a_link(host, layout)? {
        Some((what, help)) => Err(StepError::Refused { what, help }),
        None => Ok(()),
    }
}

fn points_at(host: &dyn Host, layout: &Layout, release: &ReleaseId) -> HostResult<bool> {
    Ok(host.read_link(&layout.current())? == Some(layout.current_target(release)))
}

fn is_done(cx: &Context<'_>) -> HostResult<bool> {
    leads_to(cx.host, &cx.run.layout, &cx.run.generation, &cx.run.config)
}

/// Whether users reach this very generation, or the masters that belong to no release.
pub fn leads_to(
    host: &dyn Host,
    layout: &Layout,
    generation: &Generation,
    config: &Config,
) -> HostResult<bool> {
    for service in config.listening() {
        let is_own = serves(host, layout, generation, service, To::Own)?;
        if !is_own && !master_serves(host, layout, generation, service)? {
            return Ok(false);
        }
    }
    points_at(host, layout, &generation.release)
}

/// An app that is taken over from another tool has a `current` that our journal knows nothing of.
fn remember_foreign(cx: &Context<'_>) -> HostResult<()> {
    let (host, layout) = (cx.host, &cx.run.layout);
    if cx.run.previous.is_some() {
        return Ok(());
    }
    match host.read_link(&layout.current())? {
        Some(foreign) if foreign != layout.current_target(cx.run.release()) => {
            host.replace_link(&layout.taken_over(), &foreign)
        }
        Some(_) => Ok(()),
        None => host.remove(&layout.taken_over()),
    }
}

/// Points `run/web.sock` at the generation's own socket, before `current` leads there.
fn link_sockets(cx: &Context<'_>, generation: &Generation, services: &[Service]) -> HostResult<()> {
    let mut listening = services.iter().filter(|service| service.handover.listens());
    listening.try_for_each(|service| point_links(cx, generation, service, To::Own))
}

/// Who answers at the names of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum To {
    /// The generation's own processes.
    Own,
    /// The master that belongs to no release.
    Master,
}

/// Points the names by which proxies and forwarders find `service`.
pub(crate) fn point_links(
    cx: &Context<'_>,
    generation: &Generation,
    service: &Service,
    to: To,
) -> HostResult<()> {
    let target = target(&cx.run.layout, generation, service, to);
    links(&cx.run.layout, &generation.release, service)
        .into_iter()
        .try_for_each(|link| cx.host.replace_link(&link, &target))
}

/// Whether those names lead to the master.
pub(crate) fn master_serves(
    host: &dyn Host,
    layout: &Layout,
    generation: &Generation,
    service: &Service,
) -> HostResult<bool> {
    Ok(service.handover == Handover::Reload && serves(host, layout, generation, service, To::Master)?)
}

fn serves(
    host: &dyn Host,
    layout: &Layout,
    generation: &Generation,
    service: &Service,
    to: To,
) -> HostResult<bool> {
    let target = target(layout, generation, service, to);
    for link in links(layout, &generation.release, service) {
        if host.read_link(&link)?.as_ref() != Some(&target) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn target(layout: &Layout, generation: &Generation, service: &Service, to: To) -> PathBuf {
    match to {
        To::Own => layout.socket_name(generation, &service.name),
        To::Master => layout.standing_link(&service.name),
    }
}

fn links(layout: &Layout, release: &ReleaseId, service: &Service) -> Vec<PathBuf> {
    let by_port = Port::of(service).map(|port| layout.run(release).join(port.link()));
    [layout.socket_link(release, &service.name)].into_iter().chain(by_port).collect()
}

fn go_back(cx: &Context<'_>, previous: &Generation) -> HostResult<()> {
    let layout = &cx.run.layout;
    if previous.release == *cx.run.release() {
        let services = services_of(cx, previous);
        link_sockets(cx, previous, &services)?;
        return unlink_sockets(cx, &cx.run.config.services, &services);
    }
    point_current(cx.host, layout, &layout.current_target(&previous.release))
}

/// Removes the names of the services that a restart of the same release took away.
fn forget_previous(cx: &Context<'_>) -> HostResult<()> {
    match &cx.run.previous {
        Some(previous) if previous.release == *cx.run.release() => {
            unlink_sockets(cx, &services_of(cx, previous), &cx.run.config.services)
        }
        _ => Ok(()),
    }
}

fn unlink_sockets(cx: &Context<'_>, gone: &[Service], kept: &[Service]) -> HostResult<()> {
    let names = |services: &[Service]| -> Vec<PathBuf> {
        let listening = services.iter().filter(|service| service.handover.listens());
        listening.flat_map(|service| links(&cx.run.layout, cx.run.release(), service)).collect()
    };
    let kept = names(kept);
    names(gone).iter().filter(|link| !kept.contains(link)).try_for_each(|link| cx.host.remove(link))
}
