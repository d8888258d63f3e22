//! Asks the proxy that runs, whatever its files say: one that was not reloaded is found so.

use std::path::Path;
use std::time::Duration;

use release_core::config::{Config, Files};
use release_core::host::{Address, Host, HostResult, Kind, Reply};
use release_core::layout::Layout;

use super::Problem;
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
    let answer = host.get(&proxy, path, &[], LIMIT);
    if !answer.as_ref().is_ok_and(is_good) && app_is_well(host, layout, config) {
        let what = format!("the app is well, and its proxy {}", told(&answer, &verify.url));
        problems.push(Problem::new(what, format!("look at the proxy's error log: `curl -i {}`", verify.url)));
    }
    problems.extend(config.served_static().and_then(|files| {
        static_problem(host, &layout.current_app(config).join(&files.directory), &proxy, &files)
    }));
    problems
}

fn is_good(reply: &Reply) -> bool {
    (200..400).contains(&reply.status)
}

fn app_is_well(host: &dyn Host, layout: &Layout, config: &Config) -> bool {
    config.listening().all(|service| {
        let headers = [("Host".to_owned(), service.health.host.clone())];
        let socket = Address::Socket(layout.current_socket(&service.name));
        host.get(&socket, &service.health.path, &headers, LIMIT).as_ref().is_ok_and(is_good)
    })
}

fn told(answer: &HostResult<Reply>, url: &str) -> String {
    match answer {
        Ok(reply) => format!("answers {} to {url}", reply.status),
        Err(_) => format!("does not answer at {url}"),
    }
}

/// The first file at the top of the static ones stands for all.
fn static_problem(host: &dyn Host, directory: &Path, proxy: &Address, files: &Files) -> Option<Problem> {
    let is_file = |path: &Path| host.kind(path).is_ok_and(|kind| kind == Some(Kind::File));
    let file = host.list(directory).ok()?.into_iter().find(|path| is_file(path))?;
    let url = format!("{}{}", files.url, file.file_name()?.to_str()?);
    let answer = host.get(proxy, &url, &[], LIMIT);
    if answer.as_ref().is_ok_and(is_good) {
        return None;
    }
    let what = format!("{} is there, and the proxy {}", file.display(), told(&answer, &url));
    let help = "serve it from there (`release generate nginx`), or say `static: false` in release.yml";
    Some(Problem::new(what, help))
}
