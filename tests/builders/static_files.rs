//! What makes static files be collected again, and what does not: the digest of all that they are
//! made of, as the real Django and WhiteNoise tell it.

use std::cell::Cell;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use serde_json::Value;
use tempfile::TempDir;

use Change::{Aged, Gone, Put, Set};

const INSPECT: &str = include_str!("../../crates/steps/src/django/inspect.py");

const SETTINGS: &str = r#"
import os
from pathlib import Path
BASE_DIR = Path(__file__).resolve().parent.parent
SECRET_KEY = "a"
INSTALLED_APPS = ["django.contrib.staticfiles", "shop"]
DATABASES = {}
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "static_root"
STATICFILES_DIRS = [BASE_DIR / "assets"]
STORAGES = {"staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"}}
"#;

const FILES: [(&str, &str); 12] = [
    // Nothing is collected here.
    ("manage.py", ""),
    ("shop/__init__.py", ""),
    ("shop/settings.py", SETTINGS),
    ("shop/views.py", "one = 1"),
    ("shop/templates/home.html", "<p>"),
    ("shop/static/shop/app.css", "a {}"),
    ("shop/static/shop/logo.svg", "<svg>"),
    ("shop/static/hidden.txt", "one"),
    ("assets/hidden.txt", "two"),
    ("assets/site.css", "a {}"),
    ("blog/__init__.py", ""),
    ("blog/static/shop/app.css", "b {}"),
];

/// A storage that may depend on anything.
const STORAGE: &str = "from django.conf import settings\n\
    from django.contrib.staticfiles.storage import StaticFilesStorage\n\
    class Storage(StaticFilesStorage):\n    brand = getattr(settings, 'BRAND', '')\n";
const FINDER: &str = "from django.contrib.staticfiles.finders import FileSystemFinder\n\
    class Finder(FileSystemFinder): pass\n";
const COMMAND: &str = "from django.contrib.staticfiles.management.commands.collectstatic import Command as Usual\n\
    class Command(Usual): pass\n";
const FEWER: &str = "from django.contrib.staticfiles.apps import StaticFilesConfig\n\
    class Fewer(StaticFilesConfig): ignore_patterns = ['*.css']\n";

/// How a release differs from the project above.
enum Change {
    Put(&'static str, &'static str),
    Gone(&'static str),
    Aged(&'static str),
    /// One more line of its settings.
    Set(&'static str),
}

impl Change {
    fn apply(&self, release: &Path) {
        match self {
            Put(file, text) => put(&release.join(file), text),
            Gone(file) => fs::remove_file(release.join(file)).unwrap(),
            Aged(file) => {
                let file = File::options().write(true).open(release.join(file)).unwrap();
                file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
            }
            Set(line) => put(&release.join("shop/settings.py"), &format!("{SETTINGS}{line}\n")),
        }
    }
}

fn put(file: &Path, text: &str) {
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, text).unwrap();
}

/// Releases of one project, and environments to ask them in.
struct Releases {
    directory: TempDir,
    count: Cell<usize>,
}

impl Releases {
    fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("rl-static-").tempdir_in("/tmp").unwrap();
        let releases = Self { directory, count: Cell::new(0) };
        let venv = releases.python("one");
        made(Command::new("python3").args(["-m", "venv"]).arg(venv.parent().unwrap().parent().unwrap()));
        releases.install("one", &["Django==5.2.19", "whitenoise==6.12.0"]);
        releases
    }

    fn python(&self, environment: &str) -> PathBuf {
        self.directory.path().join(environment).join("bin/python")
    }

    fn install(&self, environment: &str, packages: &[&str]) {
        made(Command::new(self.python(environment)).args(["-m", "pip", "install", "-q"]).args(packages));
    }

    /// The digest in a release with these changes; `None` where nobody can tell.
    fn digest(&self, environment: &str, changes: &[Change]) -> Option<String> {
        self.count.set(self.count.get() + 1);
        let id = format!("20261121T1015{:02}Z-3f2c1a9", self.count.get());
        let release = self.directory.path().join("releases").join(&id);
        FILES.iter().for_each(|(file, text)| put(&release.join(file), text));
        changes.iter().for_each(|change| change.apply(&release));
        let mut asked = Command::new(self.python(environment));
        asked.args(["-c", INSPECT, "and-collect"]).current_dir(&release);
        asked.env("RELEASE_ID", &id).env("DJANGO_SETTINGS_MODULE", "shop.settings");
        let said = made(&mut asked);
        let told: String = said.lines().filter_map(|line| line.strip_prefix("@release-inspect:")).collect();
        let told: Value = serde_json::from_str(&told).unwrap();
        assert_eq!(told["checks"], serde_json::json!([]), "{said}");
        assert!(!said.contains("not looked up"), "{said}");
        told["static_inputs"].as_str().map(str::to_owned)
    }
}

/// Runs a command, and gives what it prints.
fn made(command: &mut Command) -> String {
    let done = command.output().unwrap();
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

const DIFFERENT: &[(&str, &[Change])] = &[
    ("as it is", &[]),
    ("a file's text", &[Put("shop/static/shop/app.css", "a { b: c }")]),
    ("a new file", &[Put("shop/static/shop/new.css", "")]),
    ("a file less", &[Gone("shop/static/shop/logo.svg")]),
    ("a file's name", &[Gone("shop/static/shop/logo.svg"), Put("shop/static/shop/sign.svg", "<svg>")]),
    ("a file of no app", &[Put("assets/site.css", "")]),
    ("a file that was hidden", &[Gone("assets/hidden.txt")]),
    ("another app", &[Set("INSTALLED_APPS += ['blog']"), Put("blog/static/blog.css", "")]),
    ("an app before", &[Set("INSTALLED_APPS.insert(1, 'blog')")]),
    ("what is left out", &[Put("shop/few.py", FEWER), Set("INSTALLED_APPS[0] = 'shop.few.Fewer'")]),
    ("a directory", &[Set("STATICFILES_DIRS = [BASE_DIR / 'shop/templates']")]),
    ("its prefix", &[Set("STATICFILES_DIRS = [('site', BASE_DIR / 'assets')]")]),
    ("a finder", &[Set("STATICFILES_FINDERS = ['django.contrib.staticfiles.finders.AppDirectoriesFinder']")]),
    ("DEBUG", &[Set("DEBUG = True")]),
    ("STATIC_ROOT", &[Set("STATIC_ROOT = BASE_DIR / 'public'")]),
    ("STATIC_URL", &[Set("STATIC_URL = '/assets/'")]),
    ("where the site is", &[Set("STATIC_URL = 'static/'; FORCE_SCRIPT_NAME = '/shop'")]),
    ("a release's URL", &[Set("STATIC_URL = '/%s/' % os.environ['RELEASE_ID']")]),
    ("another release's URL", &[Set("STATIC_URL = '/%s/' % os.environ['RELEASE_ID']")]),
    (
        "a storage of Django's",
        &[Set(
            "STORAGES['staticfiles']['BACKEND'] = 'django.contrib.staticfiles.storage.ManifestStaticFilesStorage'",
        )],
    ),
    (
        "one of WhiteNoise's",
        &[Set("STORAGES['staticfiles']['BACKEND'] = 'whitenoise.storage.CompressedStaticFilesStorage'")],
    ),
    ("its options", &[Set("STORAGES['staticfiles']['OPTIONS'] = {'file_permissions_mode': 0o640}")]),
    ("a setting of WhiteNoise's", &[Set("WHITENOISE_KEEP_ONLY_HASHED_FILES = True")]),
    ("modes", &[Set("FILE_UPLOAD_PERMISSIONS = 0o640")]),
    ("modes of directories", &[Set("FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o750")]),
];

const ALIKE: &[(&str, &[Change])] = &[
    ("another release", &[]),
    ("a view", &[Put("shop/views.py", "one = 2")]),
    ("a template", &[Put("shop/templates/home.html", "<b>")]),
    ("an app that is not installed", &[Put("blog/static/blog.css", "")]),
    ("a file that another one hides", &[Put("shop/static/hidden.txt", "three")]),
    ("a file's time", &[Aged("shop/static/shop/app.css")]),
    ("what keeps the directory in git", &[Put("static_root/.gitkeep", "")]),
    (
        "settings of other things",
        &[Set("SECRET_KEY = 'b'; RELEASE = os.environ['RELEASE_ID']; TIME_ZONE = 'UTC'")],
    ),
];

const NOBODY_KNOWS: &[(&str, &[Change])] = &[
    (
        "a storage of the app's",
        &[Put("shop/kept.py", STORAGE), Set("STORAGES['staticfiles']['BACKEND'] = 'shop.kept.Storage'")],
    ),
    (
        "a finder of the app's",
        &[Put("shop/find.py", FINDER), Set("STATICFILES_FINDERS = ['shop.find.Finder']")],
    ),
    (
        "a command of the app's",
        &[Put("shop/management/commands/collectstatic.py", COMMAND), Set("INSTALLED_APPS.reverse()")],
    ),
    (
        "an installed storage of others",
        &[Set("STORAGES['staticfiles']['BACKEND'] = 'others.Storage'; BRAND = 'one'")],
    ),
    (
        "a copy of WhiteNoise",
        &[
            Put("whitenoise/__init__.py", ""),
            Put("whitenoise/storage.py", STORAGE),
            Set("STORAGES['staticfiles']['BACKEND'] = 'whitenoise.storage.Storage'"),
        ],
    ),
    ("files that are there already", &[Put("static_root/old.css", "")]),
    ("a place elsewhere", &[Set("STORAGES['staticfiles']['OPTIONS'] = {'location': '/srv/static'}")]),
];

#[test]
fn all_that_static_files_are_made_of_counts_and_nothing_else() {
    let releases = Releases::new();
    let mut digests: Vec<(&str, String)> = Vec::new();
    for (what, changes) in DIFFERENT {
        let digest = releases.digest("one", changes).unwrap_or_else(|| panic!("{what}: nobody knows"));
        digests.push((what, digest));
    }
    made(Command::new("cp").arg("-a").args(["one", "two"]).current_dir(releases.directory.path()));
    releases.install("two", &["whitenoise==6.11.0"]);
    digests.push(("another WhiteNoise", releases.digest("two", &[]).unwrap()));
    for (index, (what, digest)) in digests.iter().enumerate() {
        for (other, earlier) in &digests[..index] {
            assert_ne!(digest, earlier, "{what} is like {other}");
        }
    }
    for (what, changes) in ALIKE {
        assert_eq!(releases.digest("one", changes).as_ref(), Some(&digests[0].1), "{what}");
    }
    let packages = "import sysconfig; print(sysconfig.get_path('purelib'), end='')";
    let packages = made(Command::new(releases.python("one")).args(["-c", packages]));
    put(&Path::new(&packages).join("others.py"), STORAGE);
    for (what, changes) in NOBODY_KNOWS {
        assert_eq!(releases.digest("one", changes), None, "{what}");
    }
}
