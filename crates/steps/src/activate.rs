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
        match &cx.run.previous {
            Some(previous) => {
                go_back(cx, previous)?;
                check_restored(cx, previous)
            }
            None => match host.read_link(&layout.taken_over())? {
                Some(foreign) => Ok(point_current(host, layout, &foreign)?),
                None => Ok(host.remove(&layout.current())?),
            },
        }
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

/// Whether users reach this very generation.
pub fn leads_to(
    host: &dyn Host,
    layout: &Layout,
    generation: &Generation,
    config: &Config,
) -> HostResult<bool> {
    for (link, socket) in links(layout, generation, &config.services) {
        if host.read_link(&link)? != Some(socket) {
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
    let mut links = links(&cx.run.layout, generation, services);
    links.try_for_each(|(link, socket)| cx.host.replace_link(&link, &socket))
}

/// The names by which proxies and forwarders find the sockets of `generation`.
fn links<'a>(
    layout: &'a Layout,
    generation: &'a Generation,
    services: &'a [Service],
) -> impl Iterator<Item = (PathBuf, PathBuf)> + 'a {
    let listening = services.iter().filter(|service| service.handover == Handover::Socket);
    listening.flat_map(move |service| {
        let by_name = layout.socket_link(&generation.release, &service.name);
        let by_port = Port::of(service).map(|port| layout.run(&generation.release).join(port.link()));
        let socket = layout.socket_name(generation, &service.name);
        [Some(by_name), by_port].into_iter().flatten().map(move |link| (link, socket.clone()))
    })
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
    let (layout, generation) = (&cx.run.layout, &cx.run.generation);
    let kept: Vec<PathBuf> = links(layout, generation, kept).map(|(link, _)| link).collect();
    let mut gone = links(layout, generation, gone).map(|(link, _)| link).filter(|link| !kept.contains(link));
    gone.try_for_each(|link| cx.host.remove(&link))
}
