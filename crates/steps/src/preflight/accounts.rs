//! As whom the services and the entries of cron are to run, and within what bounds: whether that can be had.

use release_core::config::{Config, Service};
use release_core::cron::Entry;
use release_core::host::{Account, Host, HostResult};
use release_core::layout::Layout;

use super::Problem;

/// What stands against the users of services and entries, and against the groups and limits of services.
pub(super) fn accounts(
    host: &dyn Host,
    layout: &Layout,
    config: &Config,
    problems: &mut Vec<Problem>,
) -> HostResult<()> {
    let mut users: Vec<Account> = Vec::new();
    for service in &config.services {
        problems.extend(bounds(host, service));
        problems.extend(group(host, service)?);
    }
    for (place, name) in named_users(config) {
        match user(host, &place, &name)? {
            Ok(user) if !users.contains(&user) => users.push(user),
            Err(problem) => problems.push(problem),
            Ok(_) => {}
        }
    }
    problems.extend(one_for_all_sockets(config));
    for user in users.iter().filter(|_| host.own_uid() == ROOT) {
        unreadable(host, layout, config, user, problems)?;
    }
    Ok(())
}

const ROOT: u32 = 0;

/// Who is named, and where.
fn named_users(config: &Config) -> Vec<(String, String)> {
    let of_service =
        |service: &Service| Some((format!("services.{}", service.name), service.process.user.clone()?));
    let of_entry = |entry: &Entry| Some((format!("cron.{}", entry.name), entry.user.clone()?));
    config.services.iter().filter_map(of_service).chain(config.cron.iter().filter_map(of_entry)).collect()
}

fn user(host: &dyn Host, place: &str, name: &str) -> HostResult<Result<Account, Problem>> {
    let Some(user) = host.user(name)? else {
        let what = format!("{place}.user: there is no user `{name}`");
        let help = format!("make it: `sudo useradd --system --user-group {name}`, or correct the name");
        return Ok(Err(Problem::new(what, help)));
    };
    if ![ROOT, user.uid].contains(&host.own_uid()) {
        let what = format!("{place}.user: only root may start it as `{name}`");
        let help = format!("deploy as root, or deploy as `{name}` and take `user` away");
        return Ok(Err(Problem::new(what, help)));
    }
    Ok(Ok(user))
}

fn group(host: &dyn Host, service: &Service) -> HostResult<Option<Problem>> {
    let Some(name) = &service.process.group else { return Ok(None) };
    let place = format!("services.{}.group", service.name);
    if host.group(name)?.is_none() {
        let help = format!("make it: `sudo groupadd --system {name}`, or correct the name");
        return Ok(Some(Problem::new(format!("{place}: there is no group `{name}`"), help)));
    }
    let needs_root = (host.own_uid() != ROOT).then(|| {
        Problem::new(
            format!("{place}: only root may start it in `{name}`"),
            "deploy as root, or take `group` away",
        )
    });
    Ok(needs_root)
}

/// What not everybody may have.
fn bounds(host: &dyn Host, service: &Service) -> Vec<Problem> {
    let place = format!("services.{}", service.name);
    let limits = service.process.limits.iter().filter_map(|(resource, bound)| {
        let (name, most) = (resource.name(), host.hard_limit(*resource)?);
        if bound.number().is_some_and(|number| number <= most) {
            return None;
        }
        let what = format!("{place}.limits.{name}: {bound} is more than the {most} that may be had here");
        Some(Problem::new(what, "ask for less, or raise it for the user who deploys: `man limits.conf`"))
    });
    let is_root = host.own_uid() == ROOT;
    let nice = service.process.nice.filter(|nice| *nice < 0 && !is_root).map(|nice| {
        Problem::new(format!("{place}.nice: only root may go to {nice}"), "deploy as root, or use 0 to 19")
    });
    limits.chain(nice).collect()
}

/// A directory has one owner, and the sockets of a release lie in one.
fn one_for_all_sockets(config: &Config) -> Option<Problem> {
    let listens = |service: &&Service| service.handover.listens();
    let named = |service: &'_ Service| service.process.user.clone();
    let mut users: Vec<String> = config.services.iter().filter(listens).filter_map(named).collect();
    users.dedup();
    let (first, other) = (users.first()?, users.get(1)?);
    let what =
        format!("services listen as `{first}` and as `{other}`, and only one can own the sockets' directory");
    Some(Problem::new(what, "give the services that listen one `user`"))
}

/// What `user` needs to read from the first moment.
fn unreadable(
    host: &dyn Host,
    layout: &Layout,
    config: &Config,
    user: &Account,
    problems: &mut Vec<Problem>,
) -> HostResult<()> {
    if !host.may_read(user, layout.root())? {
        let root = layout.root().display();
        problems.push(Problem::new(
            format!("the user `{}` may not enter {root}", user.name),
            format!("let it: `chmod a+rx {root}`; `namei -l {root}` shows what stands in the way"),
        ));
        return Ok(());
    }
    // The env file is read for the service, before it becomes somebody else.
    let linked =
        config.linked_dirs.iter().chain(&config.linked_files).filter(|path| **path != config.env_file);
    for path in linked {
        let path = layout.shared().join(path);
        if host.kind(&path)?.is_some() && !host.may_read(user, &path)? {
            let path = path.display();
            problems.push(Problem::new(
                format!("the user `{}` may not read {path}", user.name),
                format!("give it to that user: `chown -R {}: {path}`", user.name),
            ));
        }
    }
    Ok(())
}
