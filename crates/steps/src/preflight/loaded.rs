//! What nginx loads: all of it where it tells, else what stands in its usual files.

use std::path::{Path, PathBuf};
use std::time::Duration;

use release_core::command::Command;
use release_core::config::Config;
use release_core::host::{Host, HostResult};
use release_core::layout::Layout;

use super::Problem;
use super::nginx::{Statement, read};

const NGINX: &str = "/etc/nginx";
/// How long nginx may take to answer.
const LIMIT: Duration = Duration::from_secs(10);

/// The statements of the proxy's configuration: of the files that were named, else of all that nginx loads.
pub(super) fn statements(
    host: &dyn Host,
    layout: &Layout,
    config: &Config,
    problems: &mut Vec<Problem>,
) -> Vec<Statement> {
    let loaded = if config.proxy.config.is_empty() { loaded(host, layout) } else { None };
    loaded.unwrap_or_else(|| of_files(host, layout, config, problems))
}

/// All that nginx would load, from wherever its files include it. `None` where this user may not ask:
/// it opens its logs and keys for that.
fn loaded(host: &dyn Host, layout: &Layout) -> Option<Vec<Statement>> {
    let asked = Command::new("nginx", layout.root()).args(["-T"]).limit(LIMIT);
    let mut lines = Vec::new();
    let exit = host.run(&asked, &mut |line| lines.push(line.to_owned())).ok()?;
    exit.success().then(|| dumped(&lines))
}

/// What `nginx -T` prints: each file after a line with its name.
fn dumped(lines: &[String]) -> Vec<Statement> {
    let name = |line: &str| Some(line.strip_prefix("# configuration file ")?.strip_suffix(':')?.to_owned());
    let mut files: Vec<(String, String)> = Vec::new();
    for line in lines.iter().filter(|line| !line.starts_with("nginx: ")) {
        match (name(line), files.last_mut()) {
            (Some(name), _) => files.push((name, String::new())),
            (None, Some((_, text))) => text.extend([line.as_str(), "\n"]),
            (None, None) => {}
        }
    }
    files.iter().flat_map(|(name, text)| read(Path::new(name), text)).collect()
}

/// What stands in the usual files, or in those that were named.
fn of_files(
    host: &dyn Host,
    layout: &Layout,
    config: &Config,
    problems: &mut Vec<Problem>,
) -> Vec<Statement> {
    let mut statements = Vec::new();
    let files = files(host, layout, config, problems).unwrap_or_else(|error| {
        problems.push(error.into());
        Vec::new()
    });
    for file in files {
        match host.read(&file) {
            Ok(Some(text)) => statements.extend(read(&file, &String::from_utf8_lossy(&text))),
            Ok(None) => {}
            Err(error) => problems.push(error.into()),
        }
    }
    statements
}

fn files(
    host: &dyn Host,
    layout: &Layout,
    config: &Config,
    problems: &mut Vec<Problem>,
) -> HostResult<Vec<PathBuf>> {
    if config.proxy.config.is_empty() {
        let nginx = Path::new(NGINX);
        let mut files = vec![nginx.join("nginx.conf")];
        files.extend(
            host.list(&nginx.join("conf.d"))?
                .into_iter()
                .filter(|path| path.extension() == Some("conf".as_ref())),
        );
        files.extend(host.list(&nginx.join("sites-enabled"))?);
        return Ok(files);
    }
    let files: Vec<PathBuf> = config.proxy.config.iter().map(|path| layout.root().join(path)).collect();
    for file in &files {
        if host.resolve(file)?.is_none() {
            let what = format!("proxy.config names {}, which does not exist", file.display());
            problems.push(Problem::new(what, "correct the path"));
        }
    }
    Ok(files)
}
