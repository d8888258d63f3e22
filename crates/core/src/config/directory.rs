//! `directory:`, where a repository that holds more than the app has it.
//!
//! Only the server says it: the app's own `release.yml` lies in that directory.

use serde_yaml::Value;

use super::Config;
use super::fields::{Fields, Report, name};
use super::parse::Source;
use super::paths::{clean, normal, problem};

/// The top of the repository.
pub(super) const TOP: &str = ".";

impl Config {
    /// Whether the app is at the top of its repository.
    pub fn is_at_top(&self) -> bool {
        self.directory == TOP
    }

    /// What the app calls `path`, as git does: seen from the top, without dots, `""` for the top
    /// itself. `None` when it leads out of the repository.
    pub fn in_revision(&self, path: &str) -> Option<String> {
        normal(&format!("{}/{path}", self.directory))
    }
}

/// The directory that the server's file names, even if something else in it is wrong: the app's own
/// file has to be found first.
pub fn directory_of(server: Source<'_>) -> String {
    let value: Value = serde_yaml::from_str(server.text).unwrap_or_default();
    let named = value.get("directory").and_then(Value::as_str);
    named.filter(|path| problem(path).is_none()).map_or_else(|| TOP.to_owned(), tidy)
}

pub(super) fn directory(fields: &mut Fields, report: &mut Report<'_>) -> Option<String> {
    let path: String = fields.take("directory", report)?;
    if let Some(wrong) = problem(&path) {
        let (at, help) =
            (fields.at("directory"), "name it from the top of the repository: `directory: backend`");
        report.add(&at, format!("{}: `{path}` {wrong}", name(&at)), Some(help.to_owned()));
    }
    Some(tidy(&path))
}

/// A path as it is compared and joined; the top is a dot.
pub(super) fn tidy(path: &str) -> String {
    Some(clean(path)).filter(|path| !path.is_empty()).unwrap_or_else(|| TOP.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::{Config, parse};
    use super::*;

    fn both(app: &str, server: &str) -> Result<Config, Vec<String>> {
        let server = Source { name: "/srv/shop/release.yml", text: server };
        let read = parse(Some(Source { name: "release.yml", text: app }), Some(server));
        read.map_err(|problems| problems.0.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn the_apps_paths_begin_in_its_directory_and_may_lead_beside_it() {
        let app = "app: shop\nlinked_dirs: [run]\npython: {requirements: [../base.txt]}\n\
                   frontend: [{directory: ../../web, outputs: [dist]}, {outputs: [../shop/static/x]}]\n";
        let config = both(app, "directory: ./services/shop/\n").unwrap();
        assert_eq!((config.directory.as_str(), config.is_at_top()), ("services/shop", false));
        let frontends: Vec<_> = config.frontend.as_ref().unwrap().iter().collect();
        assert_eq!([&frontends[0].directory, &frontends[1].directory], ["web", "services/shop"]);
        assert_eq!(frontends[1].in_release("../shop/static/x").as_deref(), Some("services/shop/static/x"));
        let seen = |path| config.in_revision(path);
        assert_eq!(seen("."), Some("services/shop".to_owned()));
        assert_eq!(seen("../base.txt"), Some("services/base.txt".to_owned()));
        assert_eq!(seen("../../../secret"), None);
    }

    #[test]
    fn a_path_that_leaves_the_release_is_refused_from_wherever_it_begins() {
        let app = "app: shop\nfrontend: [{directory: ../../web}]\n";
        let wrong = ["release.yml:2: frontend.0: `../../web` leaves the release by `..`"];
        assert_eq!(both(app, "directory: shop\n").unwrap_err(), wrong);
        assert_eq!(both(app, "keep: 3\n").unwrap_err(), wrong);
        let ours = both("app: shop\nlinked_dirs: [run]\n", "keep: 3\n").unwrap_err();
        assert_eq!(ours, ["release.yml:2: linked_dirs: `run` is a name that release itself uses"]);
    }

    #[test]
    fn only_the_server_says_it_and_it_stays_in_the_repository() {
        let help = " (help: write it into the release.yml at the root of the server)";
        assert_eq!(
            both("app: shop\ndirectory: web\n", "keep: 3\n").unwrap_err(),
            [format!(
                "release.yml:2: directory: says where this very file is, so it cannot stand in it{help}"
            )]
        );
        let help = " (help: name it from the top of the repository: `directory: backend`)";
        for (path, wrong) in [
            ("../up", "leaves the release by `..`"),
            ("/srv/x", "is absolute; write it relative to the release"),
            ("''", "is empty"),
            (".git/x", "is git's own"),
        ] {
            let problems = both("app: shop\n", &format!("directory: {path}\n")).unwrap_err();
            let path = path.trim_matches('\'');
            assert_eq!(problems, [format!("/srv/shop/release.yml:1: directory: `{path}` {wrong}{help}")]);
        }
        assert!(both("app: shop\n", "directory: ./\n").unwrap().is_at_top());
    }
}
