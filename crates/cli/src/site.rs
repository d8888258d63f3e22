//! One app's root on this machine, and what is known of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use release_core::command::{Secret, Variables};
use release_core::config::{self, Config, Problems, Source};
use release_core::env_file;
use release_core::host::Files;
use release_core::journal::Record;
use release_core::layout::Layout;
use release_core::release::{Generation, ReleaseId};
use release_core::release_record::ReleaseRecord;
use release_core::revision::Revision;
use release_core::state::State;
use release_host::{JournalFile, UnixHost};

use crate::app_file;
use crate::error::Error;

/// The root, and the machine that it is on.
pub(crate) struct Site {
    pub(crate) layout: Layout,
    pub(crate) host: UnixHost,
}

impl Site {
    /// The root that was named, or the directory that one stands in.
    pub(crate) fn open(root: Option<PathBuf>) -> Result<Self, Error> {
        let named = root.unwrap_or_else(|| PathBuf::from("."));
        let root = named.canonicalize().map_err(|source| Error::Usage {
            what: format!("cannot find the root {}: {source}", named.display()),
            help: "name the app's deploy directory: `release --root /srv/shop …`".to_owned(),
        })?;
        let layout = with_cache(Layout::new(root_of_release(&root).map_or(root.clone(), Path::to_path_buf)));
        let host = UnixHost::new(layout.clone())
            .map_err(|source| Error::Bug(format!("cannot start the runtime: {source}")))?;
        Ok(Self { layout, host })
    }

    /// Like [`Site::open`]; refuses a directory that is no root.
    pub(crate) fn existing(root: Option<PathBuf>) -> Result<Self, Error> {
        let site = Self::open(root)?;
        let known = [site.layout.server_config(), site.layout.state()];
        if known.iter().any(|path| site.host.kind(path).is_ok_and(|kind| kind.is_some())) {
            return Ok(site);
        }
        let root = site.layout.root().display();
        Err(Error::Usage {
            what: format!("{root} is no root of an app: it has no release.yml"),
            help: format!(
                "stand in it, name it by --root, or make it one:\n      printf 'repository: /srv/git/shop.git\\nbranch: main\\n' > {root}/release.yml"
            ),
        })
    }

    /// The server's own `release.yml`.
    pub(crate) fn server_file(&self) -> Result<Option<(String, String)>, Error> {
        let path = self.layout.server_config();
        let contents = self.host.read(&path)?;
        Ok(contents.map(|bytes| (path.display().to_string(), String::from_utf8_lossy(&bytes).into_owned())))
    }

    /// The keys of the server's own file that say what to fetch, before any revision is known.
    pub(crate) fn origin(&self) -> Result<Origin, Error> {
        let server = self.server_file()?;
        let source = server.as_ref().map(|(name, text)| Source { name, text });
        let origin = config::parse_origin(source)?;
        Ok(Origin { repository: origin.0, branch: origin.1 })
    }

    /// The effective configuration of `revision`, as the repository at `layout.repo()` has it.
    pub(crate) fn config(&self, layout: &Layout, revision: &Revision) -> Result<Config, Error> {
        let server = self.server_file()?;
        let server = server.as_ref().map(|(name, text)| Source { name, text });
        let app = app_file::read(&self.host, &layout.repo(), revision, server)?;
        let (name, app) = (app.name, app.text);
        let app = app.as_ref().map(|text| Source { name: &name, text });
        match config::parse(app, server) {
            Ok(config) => Ok(config),
            // The server's file may say it all; where it does not, it is the app's that is missed.
            Err(problems) if app.is_none() && is_incomplete(&problems) => Err(app_file::missing(&name)),
            Err(problems) => Err(problems.into()),
        }
    }

    /// Every record of the journal.
    pub(crate) fn records(&self) -> Result<Vec<Record>, Error> {
        Ok(JournalFile::read(&self.layout)?)
    }

    /// What the journal adds up to.
    pub(crate) fn state(&self) -> Result<State, Error> {
        Ok(State::fold(&self.records()?))
    }

    /// The release that `current` points at.
    pub(crate) fn current(&self) -> Result<Option<ReleaseId>, Error> {
        self.link(&self.layout.current())
    }

    /// The release that `link` points at.
    pub(crate) fn link(&self, link: &Path) -> Result<Option<ReleaseId>, Error> {
        let target = self.host.read_link(link)?;
        Ok(target.and_then(|target| target.file_name()?.to_str()?.parse().ok()))
    }

    /// Where `current` points, for people, when that is no release of ours.
    pub(crate) fn foreign_current(&self) -> Result<Option<String>, Error> {
        let target = self.host.read_link(&self.layout.current())?;
        let foreign = if self.current()?.is_some() { None } else { target };
        Ok(foreign.map(|target| format!("{}, which `release` did not make", target.display())))
    }

    /// The generation that serves: the last boot of the release that `current` points at.
    pub(crate) fn serving(&self, state: &State) -> Result<Option<Generation>, Error> {
        let Some(current) = self.current()? else { return Ok(None) };
        let activated = state.activation(&current).map(|activation| activation.generation.clone());
        Ok(Some(activated.unwrap_or(Generation { release: current, number: 1 })))
    }

    /// The record of the release that `current` points at.
    pub(crate) fn active_record(&self) -> Result<ReleaseRecord, Error> {
        let release = self.current()?.ok_or_else(nothing_live)?;
        let record = ReleaseRecord::read(&self.host, &self.layout, &release)?;
        record.filter(|_| self.exists(&release)).ok_or_else(|| Error::Failed {
            what: format!("{release} is active, but it or its record is not on the disk any more"),
            help: "build it again: `release deploy --force`".to_owned(),
        })
    }

    /// Whether a release is on the disk.
    pub(crate) fn exists(&self, release: &ReleaseId) -> bool {
        self.host.kind(&self.layout.release(release)).is_ok_and(|kind| kind.is_some())
    }

    /// The variables of the app's env file; none when there is no such file.
    pub(crate) fn env_file(&self, config: &Config) -> Result<Variables, Error> {
        let path = self.layout.shared().join(&config.env_file);
        let Some(contents) = self.host.read(&path)? else { return Ok(Variables::new()) };
        env_file::parse(&String::from_utf8_lossy(&contents)).map_err(|lines| wrong_env_file(&path, &lines))
    }

    /// What can be read of the env file, for when there is no time to ask for more.
    pub(crate) fn readable_env_file(&self, config: &Config) -> Variables {
        let contents = self.host.read(&self.layout.shared().join(&config.env_file)).ok().flatten();
        env_file::read(&String::from_utf8_lossy(&contents.unwrap_or_default())).0
    }
}

/// Why there is nothing to go on from.
pub(crate) fn nothing_live() -> Error {
    Error::Usage {
        what: "nothing is live yet".to_owned(),
        help: "deploy a revision first: `release deploy main`".to_owned(),
    }
}

/// The root that `path` lies in, if it is in a release: `cd current` leads there, and its own
/// `release.yml` makes it look like a root.
fn root_of_release(path: &Path) -> Option<&Path> {
    let release = path.ancestors().find(|path| {
        let is_release =
            |name: &std::ffi::OsStr| name.to_str().is_some_and(|name| name.parse::<ReleaseId>().is_ok());
        path.file_name().is_some_and(is_release)
    })?;
    let root = release.parent()?.parent()?;
    let layout = Layout::new(root);
    (release.parent()? == layout.releases() && layout.state().is_dir()).then_some(root)
}

/// The layout as the server's file has it, before there is a host to read it with.
fn with_cache(layout: Layout) -> Layout {
    let text = std::fs::read_to_string(layout.server_config()).unwrap_or_default();
    match config::cache_of(Source { name: "release.yml", text: &text }) {
        // Everybody who shares it must know it by one name: scripts hold their path.
        Some(cache) => layout.caching_in(cache.canonicalize().unwrap_or(cache)),
        None => layout,
    }
}

/// Whether something is not said at all, on any line.
fn is_incomplete(problems: &Problems) -> bool {
    problems.0.iter().any(|problem| problem.line.is_none())
}

/// What to fetch.
pub(crate) struct Origin {
    pub(crate) repository: Option<String>,
    pub(crate) branch: Option<String>,
}

/// The caller's environment.
pub(crate) fn caller() -> Variables {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, Secret::new(value.into_string().ok()?)))
    };
    std::env::vars_os().filter_map(text).collect::<BTreeMap<_, _>>()
}

fn wrong_env_file(path: &Path, lines: &[usize]) -> Error {
    let lines: Vec<String> = lines.iter().map(usize::to_string).collect();
    Error::Usage {
        what: format!("{} is not valid in line {}", path.display(), lines.join(", ")),
        help: "write one `NAME=value` a line".to_owned(),
    }
}
