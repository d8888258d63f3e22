//! Reads as much of `pyproject.toml` and of lock files as an environment's key needs.

use serde_json::Value as Json;
use toml::{Table, Value};

use crate::python_version::WantedPython;

/// A project's `pyproject.toml`.
#[derive(Clone, Debug)]
pub struct Pyproject {
    table: Table,
}

/// What says nothing of what is installed, and changes with every release of a project.
const OF_NO_MATTER: [&str; 12] = [
    "version",
    "description",
    "readme",
    "license",
    "license-files",
    "authors",
    "maintainers",
    "keywords",
    "classifiers",
    "urls",
    "homepage",
    "repository",
];

impl Pyproject {
    /// Reads it; `None` if it is no TOML, which its tools will explain better.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let table = std::str::from_utf8(text).ok()?.parse().ok()?;
        Some(Self { table })
    }

    /// The interpreter that the project asks for.
    pub fn python(&self) -> Option<WantedPython> {
        let own = self.text(&["project", "requires-python"]).map(|text| (text, "requires-python"));
        let poetry = || {
            let text = self.text(&["tool", "poetry", "dependencies", "python"]);
            text.map(|text| (text, "tool.poetry.dependencies.python"))
        };
        own.or_else(poetry).and_then(|(text, by)| WantedPython::range(text, by))
    }

    /// Whether the project can be installed as a package.
    pub fn is_package(&self) -> bool {
        self.table.contains_key("build-system")
    }

    /// All that says what is installed, and nothing of formatters, linters and the version.
    pub fn about_packages(&self) -> String {
        let mut about = Table::new();
        for path in [&["project"][..], &["dependency-groups"], &["tool", "uv"], &["tool", "poetry"]] {
            if let Some(Value::Table(table)) = self.find(path) {
                let mut table = table.clone();
                table.retain(|key, _| !OF_NO_MATTER.contains(&key));
                about.insert(path.join("."), Value::Table(table));
            }
        }
        about.to_string()
    }

    fn text(&self, path: &[&str]) -> Option<&str> {
        self.find(path)?.as_str()
    }

    fn find(&self, path: &[&str]) -> Option<&Value> {
        let (first, rest) = path.split_first()?;
        rest.iter().try_fold(self.table.get(*first)?, |value, key| value.get(key))
    }
}

/// Whether a lock file in TOML (`uv.lock`, `poetry.lock`, `pylock.toml`) installs something that
/// lies in the repository, other than the project itself.
pub fn locks_local(text: &[u8]) -> bool {
    let Some(lock) = Pyproject::parse(text) else { return false };
    let packages =
        ["package", "packages"].iter().filter_map(|key| lock.table.get(*key)?.as_array()).flatten();
    packages.into_iter().any(is_local)
}

fn is_local(package: &Value) -> bool {
    let source = package.get("source");
    let uv = ["editable", "directory", "path"].iter().filter_map(|key| source?.get(key)?.as_str());
    let poetry = source.and_then(|source| source.get("type")?.as_str());
    let pylock = package.get("directory").or_else(|| package.get("archive")?.get("path"));
    uv.into_iter().any(|path| path != ".") || matches!(poetry, Some("directory" | "file")) || pylock.is_some()
}

/// The interpreter that a `Pipfile.lock` asks for.
pub fn pipfile_python(lock: &[u8]) -> Option<WantedPython> {
    let lock: Json = serde_json::from_slice(lock).ok()?;
    let requires = &lock["_meta"]["requires"];
    let version = requires["python_full_version"].as_str().or(requires["python_version"].as_str())?;
    let exact = if version.matches('.').count() > 1 { String::new() } else { ".*".to_owned() };
    WantedPython::range(&format!("=={version}{exact}"), "Pipfile.lock")
}

/// Whether a `Pipfile.lock` installs something that lies in the repository.
pub fn pipfile_locks_local(lock: &[u8]) -> bool {
    let Ok(Json::Object(groups)) = serde_json::from_slice(lock) else { return false };
    let packages =
        groups.iter().filter(|(name, _)| *name != "_meta").filter_map(|(_, group)| group.as_object());
    packages.flat_map(|group| group.values()).any(|package| {
        package["path"].is_string() || package["file"].as_str().is_some_and(|file| !file.contains("://"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(text: &str) -> Pyproject {
        Pyproject::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn the_python_that_it_asks_for_is_found() {
        let wanted = |text: &str| project(text).python().unwrap().to_string();
        assert_eq!(wanted("[project]\nrequires-python = \">=3.10\""), "python >=3.10 (requires-python)");
        assert!(
            wanted("[tool.poetry.dependencies]\npython = \"^3.11\"").starts_with("python >=3.11, <4 (tool")
        );
        assert!(project("[project]\nname = \"shop\"").python().is_none());
    }

    #[test]
    fn only_what_is_installed_counts() {
        let base = "[project]\nname = \"shop\"\nversion = \"1\"\ndependencies = [\"six\"]\n";
        let about = |more: &str| project(&format!("{base}{more}")).about_packages();
        assert_eq!(about("description = \"a\""), about("description = \"b\""));
        assert_eq!(about("[tool.ruff]\nline-length = 1"), about(""));
        assert_ne!(about("[dependency-groups]\npostgres = [\"psycopg\"]"), about(""));
        assert_ne!(about("[tool.uv]\nno-binary = true"), about(""));
    }

    #[test]
    fn what_lies_in_the_repository_is_local() {
        for local in [
            "[[package]]\nname = \"a\"\nsource = { editable = \"libs/a\" }",
            "[[package]]\nname = \"a\"\n[package.source]\ntype = \"directory\"\nurl = \"libs/a\"",
            "[[packages]]\nname = \"a\"\ndirectory = { path = \"libs/a\" }",
            "[[packages]]\nname = \"a\"\narchive = { path = \"a.tar.gz\" }",
        ] {
            assert!(locks_local(local.as_bytes()), "{local}");
        }
        for other in [
            "[[package]]\nname = \"shop\"\nsource = { virtual = \".\" }",
            "[[package]]\nname = \"shop\"\nsource = { editable = \".\" }",
            "[[package]]\nname = \"a\"\nsource = { registry = \"https://example.org/simple\" }",
            "[[packages]]\nname = \"a\"\narchive = { url = \"https://example.org/a.tar.gz\" }",
        ] {
            assert!(!locks_local(other.as_bytes()), "{other}");
        }
        assert!(pipfile_locks_local(br#"{"default": {"a": {"path": "./libs/a"}}}"#));
        assert!(!pipfile_locks_local(br#"{"_meta": {"path": {}}, "default": {"a": {"version": "==1"}}}"#));
    }

    #[test]
    fn a_pipfile_lock_names_its_python() {
        let wanted = |text: &str| pipfile_python(text.as_bytes()).map(|wanted| wanted.accepts("3.11.7"));
        assert_eq!(wanted(r#"{"_meta": {"requires": {"python_version": "3.11"}}}"#), Some(true));
        assert_eq!(wanted(r#"{"_meta": {"requires": {"python_full_version": "3.11.4"}}}"#), Some(false));
        assert_eq!(wanted(r#"{"_meta": {"requires": {}}}"#), None);
    }
}
