//! `release check`: finds everything that would stand in the way of a deploy, at once.

use release_core::config::{self, Building};
use release_core::exit_code;
use release_core::host::Git;
use release_core::release::{Generation, ReleaseId};
use release_core::run::Action;
use release_steps::preflight::{self, Problem};
use serde::Serialize;

use crate::commands::deploy::no_repository;
use crate::commands::plan::Preview;
use crate::error::Error;
use crate::output::Screen;
use crate::road::{self, Target};
use crate::site::Site;

#[derive(Serialize)]
struct Findings {
    ok: bool,
    /// What builds may take; nothing where there is no configuration that can be read.
    build: Building,
    problems: Vec<Finding>,
}

#[derive(Serialize)]
struct Finding {
    problem: String,
    help: Option<String>,
}

/// Shows what it found. Exit code 3 if that is anything.
pub(crate) fn run(site: &Site, screen: &Screen) -> Result<u8, Error> {
    let mut build = Building::default();
    let problems = problems(site, &mut build)?;
    let ok = problems.is_empty();
    let finding = |problem: Problem| Finding { problem: problem.what, help: problem.help };
    let findings = Findings { ok, build, problems: problems.into_iter().map(finding).collect() };
    screen.facts(&findings, || text(&findings));
    Ok(if ok { exit_code::DONE } else { exit_code::FAILED })
}

/// Every problem; `build` becomes what builds may take.
fn problems(site: &Site, build: &mut Building) -> Result<Vec<Problem>, Error> {
    let origin = site.origin()?;
    let repository = origin.repository.ok_or_else(no_repository)?;
    let preview = match Preview::open(site, &repository) {
        Ok(preview) => preview,
        Err(error) => return Ok(problems_of(&error)),
    };
    let revision = match site.host.find(&preview.layout.repo(), origin.branch.as_deref().unwrap_or("main")) {
        Ok(revision) => revision,
        Err(error) => return Ok(problems_of(&error.into())),
    };
    let config = match site.config(&preview.layout, &revision) {
        Ok(config) => config,
        Err(error) => return Ok(problems_of(&error)),
    };
    *build = config.build.clone();
    let state = site.state()?;
    let release =
        ReleaseId::new(release_core::host::Clock::now(&site.host), &revision, state.known().cloned());
    let target =
        Target { action: Action::Deploy, generation: Generation { release, number: 1 }, revision, config };
    let mut problems = road::problems(site, &preview.layout, &state, &target)?;
    problems.extend(preflight::cron_problems(&site.host, &target.config));
    let home = std::env::home_dir();
    let started = preflight::starter_problems(&site.host, &site.layout, &target.config, home.as_deref());
    problems.extend(started);
    problems.extend(preflight::proxy_problems(&site.host, &site.layout, &target.config));
    problems.extend(preflight::live_proxy_problems(&site.host, &site.layout, &target.config));
    Ok(problems)
}

fn problems_of(error: &Error) -> Vec<Problem> {
    if let Error::Config(problems) = error {
        let problem = |one: &config::Problem| Problem {
            what: format!("{}{}", one.place(), one.what),
            help: one.help.clone(),
        };
        return problems.0.iter().map(problem).collect();
    }
    vec![Problem { what: error.in_one_line(), help: error.help() }]
}

fn text(findings: &Findings) -> String {
    let limits = findings.build.told().map(|limits| format!("note: {limits}\n")).unwrap_or_default();
    if findings.ok {
        return format!("{limits}all is well: nothing stands in the way of a deploy");
    }
    let line = |found: &Finding| match &found.help {
        Some(help) => format!("- {}\n  help: {help}\n", found.problem),
        None => format!("- {}\n", found.problem),
    };
    limits + &findings.problems.iter().map(line).collect::<String>()
}
