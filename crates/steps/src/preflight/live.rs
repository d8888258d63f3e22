//! Asks the proxy that runs, whatever its files say: one that was not reloaded is found so.

use std::path::Path;
use std::time::Duration;

use release_core::config::{Config, Files};
use release_core::host::{Address, Host, Kind};
use release_core::layout::Layout;

use super::Problem;
use crate::answer::{Answer, Question};
use crate::verify::parse;

const LIMIT: Duration = Duration::from_secs(10);

/// What the proxy at `verify.url` answers otherwise than `current` would. While nothing is live there
/// is nothing to compare it with.
pub fn live_proxy_problems(host: &dyn Host, layout: &Layout, config: &Config) -> Vec<Problem> {
    let Some(verify) = &config.verify else { return Vec::new() };
    if !host.resolve(&layout.current()).is_ok_and(|current| current.is_some()) {
        return Vec::new();
    }
    let (proxy, path) = parse(&verify.url);
    let mut problems = Vec::new();
    let answer = asked(host, &Question { address: proxy.clone(), path, host: None });
    if !answer.is_good() && app_is_well(host, layout, config) {
        let what = format!("the app is well, and its proxy {}", answer.what(&verify.url));
        problems.push(Problem::new(what, format!("look at the proxy's error log: `curl -i {}`", verify.url)));
    }
    problems.extend(config.served_static().and_then(|files| {
        static_problem(host, &layout.current_app(config).join(&files.directory), proxy, &files)
    }));
    problems
}

fn asked(host: &dyn Host, question: &Question<'_>) -> Answer {
    question.ask_from(host, LIMIT).unwrap_or_else(Answer::Silence)
}

fn app_is_well(host: &dyn Host, layout: &Layout, config: &Config) -> bool {
    config.listening().all(|service| {
        asked(host, &Question::health(layout.current_socket(&service.name), &service.health)).is_good()
    })
}

/// The first file at the top of the static ones stands for all.
fn static_problem(host: &dyn Host, directory: &Path, proxy: Address, files: &Files) -> Option<Problem> {
    let is_file = |path: &Path| host.kind(path).is_ok_and(|kind| kind == Some(Kind::File));
    let file = host.list(directory).ok()?.into_iter().find(|path| is_file(path))?;
    let url = format!("{}{}", files.url, file.file_name()?.to_str()?);
    let answer = asked(host, &Question { address: proxy, path: &url, host: None });
    if answer.is_good() {
        return None;
    }
    let what = format!("{} is there, and the proxy {}", file.display(), answer.what(&url));
    let help = "serve it from there (`release generate nginx`), or say `static: false` in release.yml";
    Some(Problem::new(what, help))
}
