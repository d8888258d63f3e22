//! What else starts the app, beside `release`: units of systemd and programs of supervisord that name
//! its root, and are enabled or run.

mod lint;
mod read;

use std::path::{Path, PathBuf};
use std::time::Duration;

use release_core::command::Command;
use release_core::config::{Config, Manager};
use release_core::host::{Host, HostResult};
use release_core::layout::Layout;

use super::Problem;

/// A unit or a program.
#[derive(Debug, Default)]
struct Starter {
    /// Where it stands, for people.
    at: String,
    commands: Said,
    reloads: Said,
    directory: Option<String>,
    /// Further values, which may name a release.
    others: Vec<String>,
    /// Whether its command comes to an end.
    ends: bool,
    /// How it is switched off.
    off: String,
}

/// What a key says: an empty value takes back what stood before.
#[derive(Debug, Default)]
struct Said(Vec<String>);

impl Said {
    fn set(&mut self, value: String) {
        if value.is_empty() { self.0.clear() } else { self.0.push(value) }
    }
}

impl Starter {
    fn values(&self) -> impl Iterator<Item = &String> {
        let commands = self.commands.0.iter().chain(&self.reloads.0);
        commands.chain(&self.directory).chain(&self.others)
    }

    fn names(&self, root: &Path) -> bool {
        let root = root.display().to_string();
        let goes_on = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        self.values().any(|value| {
            value.match_indices(&root).any(|(at, _)| !value[at + root.len()..].starts_with(goes_on))
        })
    }
}

/// How long systemd may take to answer.
const LIMIT: Duration = Duration::from_secs(10);
const UNITS: &str = "/etc/systemd/system";
const USERS_UNITS: &str = ".config/systemd/user";
const SUPERVISOR: [(&str, &str); 4] = [
    ("/etc", "supervisord.conf"),
    ("/etc/supervisor", ".conf"),
    ("/etc/supervisor/conf.d", ".conf"),
    ("/etc/supervisord.d", ".ini"),
];

/// What is unsafe in the units and programs of this app that `release` did not write; `home` is that of
/// the user who asks.
pub fn starter_problems(
    host: &dyn Host,
    layout: &Layout,
    config: &Config,
    home: Option<&Path>,
) -> Vec<Problem> {
    match starters(host, layout.root(), config, home) {
        Ok(starters) => starters.iter().flat_map(|starter| lint::problems(starter, layout, config)).collect(),
        Err(error) => vec![error.into()],
    }
}

fn starters(host: &dyn Host, root: &Path, config: &Config, home: Option<&Path>) -> HostResult<Vec<Starter>> {
    let mut starters = units(host, root, Path::new(UNITS), "--system")?;
    if let Some(home) = home {
        starters.extend(units(host, root, &home.join(USERS_UNITS), "--user")?);
    }
    for file in supervisor_files(host, config)? {
        let Some(text) = host.read(&file)? else { continue };
        let off = "take the program out of that file, then `supervisorctl update`".to_owned();
        let found = read::programs(&file.display().to_string(), &String::from_utf8_lossy(&text));
        let found = found.into_iter().filter(|starter| starter.names(root));
        starters.extend(found.map(|starter| Starter { off: off.clone(), ..starter }));
    }
    Ok(starters)
}

/// The units that somebody wrote into `directory` for this root, if something starts them.
fn units(host: &dyn Host, root: &Path, directory: &Path, scope: &str) -> HostResult<Vec<Starter>> {
    let all = host.list(directory)?;
    let enabled = enabled(host, &all)?;
    let mut units = Vec::new();
    for path in all.iter().filter(|path| path.extension() == Some("service".as_ref())) {
        let unit = unit(host, path, scope)?;
        // systemd is asked of few, for each answer takes a moment.
        if unit.names(root) && (is_enabled(path, &enabled) || is_active(host, scope, path)) {
            units.push(unit);
        }
    }
    Ok(units)
}

fn unit(host: &dyn Host, path: &Path, scope: &str) -> HostResult<Starter> {
    let mut texts = Vec::new();
    let drop_ins = host.list(&path.with_extension("service.d"))?;
    for file in std::iter::once(path).chain(drop_ins.iter().map(PathBuf::as_path)) {
        texts.extend(host.read(file)?.map(|text| String::from_utf8_lossy(&text).into_owned()));
    }
    let off = format!("switch it off: `systemctl {scope} disable --now {}`", name(path));
    Ok(Starter { off, ..read::unit(&path.display().to_string(), &texts) })
}

/// The names, without their kind, that the links of some target or unit enable: a timer starts its service, too.
fn enabled(host: &dyn Host, all: &[PathBuf]) -> HostResult<Vec<String>> {
    let is_wants =
        |path: &&PathBuf| path.extension().is_some_and(|kind| kind == "wants" || kind == "requires");
    let mut names = Vec::new();
    for directory in all.iter().filter(is_wants) {
        names.extend(host.list(directory)?.iter().map(|link| stem(link)));
    }
    Ok(names)
}

/// A template is, where an instance is.
fn is_enabled(unit: &Path, enabled: &[String]) -> bool {
    let stem = stem(unit);
    enabled.iter().any(|link| *link == stem || (stem.ends_with('@') && link.starts_with(&stem)))
}

fn is_active(host: &dyn Host, scope: &str, unit: &Path) -> bool {
    let words = [scope, "is-active", "--quiet", "--", &name(unit)].map(str::to_owned);
    let asked = Command::new("systemctl", "/").args(words).limit(LIMIT);
    // Where there is no systemd nothing of it runs.
    host.run(&asked, &mut |_| ()).is_ok_and(|exit| exit.success())
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn supervisor_files(host: &dyn Host, config: &Config) -> HostResult<Vec<PathBuf>> {
    let own = match &config.manager {
        Manager::ServerSupervisord(server) => Some(server.place()),
        _ => None,
    };
    let mut files = Vec::new();
    for (directory, ending) in SUPERVISOR.into_iter().chain(own) {
        let found = host.list(Path::new(directory))?;
        files.extend(found.into_iter().filter(|path| name(path).ends_with(ending)));
    }
    files.sort();
    files.dedup();
    Ok(files)
}
