//! `release generate`: prints a file for a program around the app, from the active release's
//! configuration, or the configured branch's while nothing is live.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use release_core::config::Config;
use release_core::exit_code;
use release_core::host::{Files, Git};
use release_core::release_record::ReleaseRecord;
use release_steps::generate::{self, Facts, Kind, Machine};
use serde::Serialize;

use crate::commands::deploy::no_repository;
use crate::commands::plan::Preview;
use crate::error::Error;
use crate::output::Screen;
use crate::site::Site;

#[derive(Serialize)]
struct Generated {
    kind: &'static str,
    text: String,
}

/// Prints the file.
pub(crate) fn run(site: &Site, screen: &Screen, kind: Kind) -> Result<u8, Error> {
    let config = config(site)?;
    let facts = Facts::of(&site.layout, &config, machine(site)?)?;
    let generated = Generated { kind: kind.name(), text: generate::file(kind, &facts)? };
    screen.facts(&generated, || generated.text.clone());
    Ok(exit_code::DONE)
}

fn config(site: &Site) -> Result<Config, Error> {
    if let Some(current) = site.current()?
        && let Some(record) = ReleaseRecord::read(&site.host, &site.layout, &current)?
    {
        return Ok(record.config);
    }
    let origin = site.origin()?;
    let preview = Preview::open(site, &origin.repository.ok_or_else(no_repository)?)?;
    let branch = origin.branch.as_deref().unwrap_or("main");
    let revision = site.host.find(&preview.layout.repo(), branch)?;
    site.config(&preview.layout, &revision)
}

fn machine(site: &Site) -> Result<Machine, Error> {
    let root = site.layout.root();
    let owner = root.metadata().map_err(|error| Error::Bug(format!("cannot look at the root: {error}")))?;
    let program =
        std::env::current_exe().map_err(|error| Error::Bug(format!("cannot find my own path: {error}")))?;
    Ok(Machine {
        program,
        user: named(site, "/etc/passwd", owner.uid())?,
        group: named(site, "/etc/group", owner.gid())?,
    })
}

/// The name that `id` has in a file such as `/etc/passwd`; the number itself if it has none there.
fn named(site: &Site, file: &str, id: u32) -> Result<String, Error> {
    let text = site.host.read(Path::new(file))?.unwrap_or_default();
    let id = id.to_string();
    Ok(name_of(&String::from_utf8_lossy(&text), &id).unwrap_or(id))
}

fn name_of(text: &str, id: &str) -> Option<String> {
    let fields = text.lines().map(|line| line.split(':').collect::<Vec<_>>());
    fields.filter(|fields| fields.get(2) == Some(&id)).find_map(|fields| Some((*fields.first()?).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_and_groups_are_found_by_their_number() {
        let users = "root:x:0:0:root:/root:/bin/sh\n\nshop:x:1001:1001::/srv/shop:/bin/sh\n";
        assert_eq!(name_of(users, "1001").as_deref(), Some("shop"));
        assert_eq!(name_of("www-data:x:33:\n", "33").as_deref(), Some("www-data"));
        assert_eq!(name_of(users, "1"), None);
    }
}
