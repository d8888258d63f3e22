//! `release init`: writes a commented release.yml for the project that one stands in.

use std::path::{Path, PathBuf};

use release_core::exit_code;
use serde::Serialize;

use crate::error::Error;
use crate::output::Screen;

/// What the Python environment is built from without a word in release.yml.
const INSTALLED_FROM: [&str; 5] =
    ["requirements.txt", "uv.lock", "poetry.lock", "Pipfile.lock", "pylock.toml"];

/// What the project shows of itself.
#[derive(Debug, Serialize, PartialEq, Eq)]
struct Project {
    app: String,
    settings: Option<String>,
    directory: String,
    wsgi: Option<String>,
    requirements: bool,
    frontend: Option<String>,
}

/// Looks at the project at `root` (or here) and writes its release.yml.
pub(crate) fn run(root: Option<PathBuf>, screen: &Screen) -> Result<u8, Error> {
    let here = root.unwrap_or_else(|| PathBuf::from("."));
    let here = here.canonicalize().map_err(|source| failed(&here, &source))?;
    let path = here.join("release.yml");
    if path.exists() {
        return Err(Error::Usage {
            what: format!("{} exists already", path.display()),
            help: "edit it, or move it away first".to_owned(),
        });
    }
    let project = Project::look(&here);
    std::fs::write(&path, project.release_yml()).map_err(|source| failed(&path, &source))?;
    screen.facts(&project, || format!("wrote {}; look through it, commit it and push", path.display()));
    Ok(exit_code::DONE)
}

impl Project {
    fn look(here: &Path) -> Self {
        let manage = find(here, "manage.py");
        let frontend = find(here, "package.json");
        let settings = manage.as_ref().and_then(|path| settings_in(&std::fs::read_to_string(path).ok()?));
        let wsgi =
            settings.as_ref().and_then(|settings| Some(format!("{}.wsgi", settings.split('.').next()?)));
        let name = here.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
        Self {
            app: plain(&name),
            directory: manage.as_deref().map_or_else(|| ".".to_owned(), |path| below(here, path)),
            requirements: INSTALLED_FROM.iter().any(|name| here.join(name).is_file()),
            frontend: frontend.as_deref().map(|path| below(here, path)),
            settings,
            wsgi,
        }
    }

    fn release_yml(&self) -> String {
        let mut text = format!(
            "# How `release` deploys this app. Everything that is not said here is detected.\napp: {}\n\n",
            self.app
        );
        text += "# What outlives a release: links to shared/ on the server.\n";
        text += "# linked_dirs: [media, log]\n# linked_files: [config/secrets.json]\n\n";
        text += "# Variables for the app's processes. Secrets go into shared/.env on the server.\n# env: {OPENBLAS_NUM_THREADS: 4}\n\n";
        if !self.requirements {
            text += "# No lock file and no requirements.txt was found; name your requirement files:\n# python: {requirements: [requirements/production.txt]}\n\n";
        }
        if let Some(directory) = &self.frontend {
            text += &format!(
                "# Found a front end; it is built by its lock file, and these are the defaults.\n# frontend: [{{directory: {directory}, outputs: [dist]}}]\n\n"
            );
        }
        match &self.settings {
            Some(settings) if self.directory == "." => {
                text += &format!("django: {{settings: {settings}}}\n\n")
            }
            Some(settings) => {
                text += &format!("django: {{settings: {settings}, directory: {}}}\n\n", self.directory)
            }
            None => {
                text += "# No manage.py was found; for a Django app say:\n# django: {settings: mysite.settings}\n\n"
            }
        }
        let chdir =
            if self.directory == "." { String::new() } else { format!(" --chdir {}", self.directory) };
        let wsgi = self.wsgi.as_deref().unwrap_or("mysite.wsgi");
        text += "services:\n  web:\n    # $SOCKET is where the release is to listen; the proxy reaches it as current/run/web.sock.\n";
        text += &format!(
            "    command: \"gunicorn {wsgi}{chdir} -w 3 --bind unix:$SOCKET\"\n    handover: socket\n"
        );
        text += "    # A page that answers 200 when all is well, asked with `Host: localhost`.\n    health: {path: /}\n";
        text
    }
}

/// `name` at the top or in a first-level directory.
fn find(here: &Path, name: &str) -> Option<PathBuf> {
    let top = here.join(name);
    if top.is_file() {
        return Some(top);
    }
    let entries = std::fs::read_dir(here).ok()?.flatten().map(|entry| entry.path());
    let mut found: Vec<PathBuf> = entries.map(|path| path.join(name)).filter(|path| path.is_file()).collect();
    found.retain(|path| {
        !path
            .components()
            .any(|part| matches!(part.as_os_str().to_str(), Some("node_modules" | "venv" | ".venv")))
    });
    found.sort();
    found.into_iter().next()
}

fn below(here: &Path, file: &Path) -> String {
    let directory = file.parent().and_then(|parent| parent.strip_prefix(here).ok());
    directory
        .map(|path| path.display().to_string())
        .filter(|path| !path.is_empty())
        .unwrap_or_else(|| ".".to_owned())
}

/// The module in `os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")`.
fn settings_in(manage: &str) -> Option<String> {
    let (_, rest) = manage.split_once("DJANGO_SETTINGS_MODULE")?;
    let rest = rest.trim_start_matches(['"', '\'']).trim_start_matches([',', ' ', ']', '=', '\n']);
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    rest[1..].split(quote).next().map(str::to_owned)
}

fn plain(name: &str) -> String {
    let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let name = name.trim_matches(|c: char| !c.is_ascii_lowercase()).to_owned();
    if name.is_empty() { "app".to_owned() } else { name }
}

fn failed(path: &Path, source: &std::io::Error) -> Error {
    Error::Failed {
        what: format!("cannot write {}: {source}", path.display()),
        help: "stand in the project's top directory, where you may write".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use release_core::config::{self, Source};

    #[test]
    fn finds_the_settings_module() {
        let manage = "os.environ.setdefault(\"DJANGO_SETTINGS_MODULE\", \"shop.settings\")";
        assert_eq!(settings_in(manage).as_deref(), Some("shop.settings"));
        assert_eq!(settings_in("os.environ['DJANGO_SETTINGS_MODULE'] = 'a.b'").as_deref(), Some("a.b"));
        assert_eq!(settings_in("print()"), None);
    }

    #[test]
    fn what_it_writes_is_a_valid_release_yml_also_without_its_comments() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("backend")).unwrap();
        std::fs::create_dir(dir.path().join("web")).unwrap();
        std::fs::write(dir.path().join("backend/manage.py"), "'DJANGO_SETTINGS_MODULE', 'shop.settings'")
            .unwrap();
        std::fs::write(dir.path().join("web/package.json"), "{}").unwrap();
        let mut project = Project::look(dir.path());
        project.app = "shop".to_owned();
        let text = project.release_yml();
        let uncommented: String = text
            .lines()
            .map(|line| {
                line.strip_prefix("# ")
                    .filter(|l| l.contains(": ") && l.ends_with(['}', ']']))
                    .unwrap_or(line)
            })
            .map(|line| format!("{line}\n"))
            .collect();
        for text in [text, uncommented] {
            let config = config::parse(Some(Source { name: "release.yml", text: &text }), None).unwrap();
            let django = config.django.unwrap();
            assert_eq!((django.settings.as_str(), django.directory.as_str()), ("shop.settings", "backend"));
        }
    }
}
