//! One file per command.

mod check;
mod cron;
mod deploy;
mod exec;
mod forward;
mod generate;
mod hook;
mod init;
mod list;
mod log;
mod pin;
mod plan;
mod prune;
mod recover;
mod restart;
mod retire;
mod rollback;
mod start;
mod status;
mod stop;

use release_core::release::{Generation, ReleaseId};

use crate::args::{Args, Command, Cron, Hook};
use crate::error::Error;
use crate::output::Screen;
use crate::site::Site;

/// Does what was typed, and gives the exit code.
pub(crate) fn run(args: Args, screen: &Screen) -> Result<u8, Error> {
    let existing = || Site::existing(args.root.clone());
    match args.command {
        Command::Deploy { revision, force, no_cache, wait, repository } => {
            let request = deploy::Request { name: revision, force, no_cache, wait, repository };
            deploy::run(existing()?, screen, &request)
        }
        Command::Rollback { id, to, wait } => rollback::run(existing()?, screen, id.or(to), wait),
        Command::Restart { services, wait } => restart::run(existing()?, screen, &services, wait),
        Command::Status => status::run(&existing()?, screen),
        Command::List => list::run(&existing()?, screen),
        Command::Log { id, step } => log::run(&existing()?, screen, id, step),
        Command::Plan { revision } => plan::run(&existing()?, screen, revision),
        Command::Check => check::run(&existing()?, screen),
        Command::Generate { kind } => generate::run(&existing()?, screen, kind),
        Command::Init => init::run(args.root, screen),
        Command::Exec { standing: Some(service), release, generation, .. } => {
            exec::standing(&existing()?, &service, release.zip(generation))
        }
        Command::Exec { release, service, boot, generation, instance, command, standing: None } => {
            let boot = boot.or_else(|| older(release.as_ref(), generation));
            let booted = service.zip(boot);
            let booted = booted.map(|(service, generation)| exec::Booted { service, generation, instance });
            exec::run(&existing()?, release, booted, &command)
        }
        Command::Prune { dry_run } => prune::run(existing()?, screen, dry_run),
        Command::Pin { id } => pin::pin(&existing()?, screen, id),
        Command::Unpin { id } => pin::unpin(&existing()?, screen, &id),
        Command::Cron { command: None } => cron::list(&existing()?, screen),
        Command::Cron { command: Some(Cron::Run { name, at }) } => {
            cron::run(&existing()?, screen, &name, at.as_deref())
        }
        Command::Cron { command: Some(Cron::Log { name }) } => cron::log(&existing()?, screen, &name),
        Command::Recover => recover::run(existing()?, screen),
        Command::Start => start::run(existing()?, screen),
        Command::Stop => stop::run(existing()?, screen),
        Command::Hook { command: Hook::Install { repository } } => {
            hook::install(&existing()?, screen, &repository)
        }
        Command::Hook { command: Hook::PostReceive } => hook::post_receive(&existing()?, screen),
        Command::Forward { listen } => forward::run(&existing()?, listen),
        Command::Retire { boot, release, generation, after } => {
            let boot = boot.or_else(|| older(release.as_ref(), generation));
            retire::run(existing()?, screen, &boot.expect("clap asks for one of them"), after)
        }
    }
}

/// The generation that two arguments of an older version name.
fn older(release: Option<&ReleaseId>, number: Option<u32>) -> Option<Generation> {
    release.zip(number).map(|(release, number)| Generation { release: release.clone(), number })
}
