//! `release init`: writes a commented release.yml for the project that one stands in.

use std::path::{Path, PathBuf};

use release_core::exit_code;
use serde::Serialize;

use crate::error::Error;
use crate::output::Screen;

/// What the project shows of itself.
#[derive(Debug, Serialize, PartialEq, Eq)]
struct Project {
    app: String,
    settings: Option<String>,
    directory: String,
    wsgi: Option<String>,
    /// The requirement file that was found; `None` also where it is found by itself.
    requirements: Option<String>,
    frontend: Option<String>,
    /// What people should know before they commit it.
    notes: Vec<String>,
}

/// Looks at the project at `root` (or here) and writes its release.yml.
pub(crate) fn run(root: Option<PathBuf>, screen: &Screen) -> Result<u8, Error> {
    let here = root.unwrap_or_else(|| PathBuf::from("."));
    let here = here.canonicalize().map_err(|source| Error::Usage {
        what: format!("cannot find {}: {source}", here.display()),
        help: "stand in the project's top directory".to_owned(),
    })?;
    let path = here.join("release.yml");
    if path.exists() {
        return Err(Error::Usage {
            what: format!("{} exists already", path.display()),
            help: "edit it, or move it away first".to_owned(),
        });
    }
    let project = Project::look(&here);
    std::fs::write(&path, project.release_yml()).map_err(|source| failed(&path, &source))?;
    screen.facts(&project, || project.told(&path));
    Ok(exit_code::DONE)
}

impl Project {
    fn look(here: &Path) -> Self {
        let manage = find(here, "manage.py");
        let frontend = find(here, "package.json");
        let settings = manage.as_ref().and_then(|path| settings_in(&std::fs::read_to_string(path).ok()?));
        let wsgi =
            settings.as_ref().and_then(|settings| Some(format!("{}.wsgi", settings.split('.').next()?)));
        let directory = manage.as_deref().map_or_else(|| ".".to_owned(), |path| below(here, path));
        let requirements = requirements(here, &directory);
        let name = here.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
        Self {
            app: plain(&name),
            notes: notes(here, &directory, settings.as_deref(), requirements.as_deref(), frontend.as_deref()),
            requirements: requirements.filter(|path| path != REQUIREMENTS),
            frontend: frontend.as_deref().map(|path| below(here, path)),
            directory,
            settings,
            wsgi,
        }
    }

    fn told(&self, path: &Path) -> String {
        let mut text = format!("wrote {}; look through it, commit it and push", path.display());
        for note in &self.notes {
            text += &format!("\nnote: {note}");
        }
        text
    }

    fn release_yml(&self) -> String {
        let mut text = format!(
            "# How `release` deploys this app. Everything that is not said here is detected.\napp: {}\n\n",
            self.app
        );
        text += "# What outlives a release: links to shared/ on the server.\n";
        text += "# linked_dirs: [media, log]\n# linked_files: [config/secrets.json]\n\n";
        text += "# Variables for the app's processes. Secrets go into shared/.env on the server.\n# env: {OPENBLAS_NUM_THREADS: 4}\n\n";
        if let Some(path) = &self.requirements {
            text += &format!("python: {{requirements: [{path}]}}\n\n");
        }
        if let Some(directory) = &self.frontend {
            text += &format!(
                "# Found a front end; these are the defaults.\n# frontend: [{{directory: {directory}, install: npm ci, build: npm run build, outputs: [dist]}}]\n\n"
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

/// The usual one, which is found by itself, comes first.
const REQUIREMENTS: &str = "requirements.txt";

/// The file that a server is to install.
fn requirements(here: &Path, directory: &str) -> Option<String> {
    let beside_manage = format!("{directory}/{REQUIREMENTS}");
    let usual = [
        REQUIREMENTS,
        beside_manage.as_str(),
        "requirements/production.txt",
        "requirements/prod.txt",
        "requirements/base.txt",
    ];
    usual.into_iter().find(|path| here.join(path).is_file()).map(str::to_owned)
}

/// What would make people stumble at their first deploy.
fn notes(
    here: &Path,
    directory: &str,
    settings: Option<&str>,
    requirements: Option<&str>,
    package: Option<&Path>,
) -> Vec<String> {
    let mut notes = Vec::new();
    let text = |path: PathBuf| std::fs::read_to_string(path).unwrap_or_default();
    match requirements.map(|path| text(here.join(path))) {
        None => notes.push(
            "no requirements file was found, and nothing is installed without one: write requirements.txt, \
             or name yours by `python: {requirements: [FILE]}`"
                .to_owned(),
        ),
        Some(text) if !text.contains("gunicorn") => {
            notes.push("the command of `web` calls gunicorn, which the requirements do not name".to_owned());
        }
        Some(_) => {}
    }
    if let Some(settings) = settings {
        let file = here.join(directory).join(settings.replace('.', "/")).with_extension("py");
        if text(file).contains("sqlite3") {
            notes.push(
                "the settings name an SQLite file: say `linked_dirs: [data]` and keep it in data/, or each release \
                 begins with an empty one"
                    .to_owned(),
            );
        }
    }
    if let Some(package) = package.filter(|package| !is_built(package)) {
        notes.push(format!(
            "{}: a front end is built where it has a `build` script and a lock file",
            below_or_top(here, package)
        ));
    }
    notes
}

/// Whether a deploy finds this front end by itself.
fn is_built(package: &Path) -> bool {
    let json: Option<serde_json::Value> =
        std::fs::read(package).ok().and_then(|json| serde_json::from_slice(&json).ok());
    let script = json.is_some_and(|json| json.pointer("/scripts/build").is_some());
    script && LOCKS.iter().any(|lock| package.with_file_name(lock).is_file())
}

const LOCKS: [&str; 4] = ["package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml", "yarn.lock"];

fn below_or_top(here: &Path, file: &Path) -> String {
    file.strip_prefix(here).unwrap_or(file).display().to_string()
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

/// As long as the name of an app may be.
const LONGEST_NAME: usize = 32;

/// A directory's name as the name of an app.
fn plain(name: &str) -> String {
    let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let name = name.trim_start_matches(|c: char| !c.is_ascii_lowercase());
    let name = name.get(..LONGEST_NAME).unwrap_or(name).trim_end_matches('-');
    if name.is_empty() { "app".to_owned() } else { name.to_owned() }
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
    fn what_would_make_the_first_deploy_stumble_is_noted() {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let notes = || Project::look(dir.path()).notes.join("\n");
        assert!(notes().contains("no requirements file was found"));
        write("api/manage.py", "'DJANGO_SETTINGS_MODULE', 'shop.settings'");
        write("api/shop/settings.py", "'ENGINE': 'django.db.backends.sqlite3'");
        write("api/requirements.txt", "Django==5.2");
        write("ui/package.json", "{\"scripts\": {\"build\": \"vite build\"}}");
        assert_eq!(Project::look(dir.path()).requirements.as_deref(), Some("api/requirements.txt"));
        for said in ["SQLite", "gunicorn", "ui/package.json"] {
            assert!(notes().contains(said), "{said}");
        }
        write("api/requirements.txt", "Django==5.2\ngunicorn==23.0.0");
        write("api/shop/settings.py", "");
        write("ui/package-lock.json", "{}");
        assert_eq!(notes(), "");
    }

    #[test]
    fn a_directory_gives_the_app_its_name() {
        let long = "a-name-that-is-longer-than-an-app-may-have";
        for (name, app) in
            [("shop2", "shop2"), ("2nd shop_", "nd-shop"), ("42", "app"), (long, &long[..LONGEST_NAME])]
        {
            assert_eq!(plain(name), app);
        }
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
