//! A master that belongs to the root and to no generation: it is started once and reloaded in place.

use std::path::{Path, PathBuf};

use crate::cache_key::CacheKey;
use crate::config::{Config, Service};
use crate::layout::{Layout, inside};
use crate::release::ReleaseId;
use crate::server::{self, Server};

const PREFIX: &str = "standing-";

/// What the process manager calls the master of `service`: `standing-web`.
pub fn program(service: &str) -> String {
    format!("{PREFIX}{service}")
}

/// The service whose master has this name; `None` for another program.
pub fn of_program(name: &str) -> Option<&str> {
    name.strip_prefix(PREFIX)
}

impl Layout {
    /// Where the master of `service` listens, whichever release it has loaded.
    pub fn standing_socket(&self, service: &str) -> PathBuf {
        self.standing(&format!("{service}.sock"))
    }

    /// What the master of `service` was started with: what no reload changes.
    pub fn standing_stamp(&self, service: &str) -> PathBuf {
        self.standing(&format!("{service}.started"))
    }

    /// What leads the master of `service` to its release. It moves later than `current`: what the master's
    /// old workers import while they finish comes from their own release still.
    pub fn standing_release(&self, service: &str) -> PathBuf {
        self.standing(&format!("{service}.release"))
    }

    /// Where the app lies for the master of `service`.
    pub fn standing_app(&self, config: &Config, service: &str) -> PathBuf {
        inside(self.standing_release(service), config)
    }

    /// What [`Layout::standing_release`] holds while the master runs `release`.
    pub fn standing_target(&self, release: &ReleaseId) -> PathBuf {
        Path::new("../../releases").join(release.as_str())
    }

    /// What [`Layout::socket_link`] holds while the master serves.
    pub fn standing_link(&self, service: &str) -> PathBuf {
        Path::new("../../../.release/run").join(format!("{service}.sock"))
    }

    fn standing(&self, name: &str) -> PathBuf {
        self.state().join("run").join(name)
    }
}

/// What a master of `service` keeps from its start to its end, as text to compare: its command, its
/// variables, those of the `env_file` too, its process settings, and its Python environment.
pub fn started_with(config: &Config, service: &Service, env_file: &[u8], venv: &Path) -> String {
    let variables =
        serde_json::to_vec(&(&config.env, &service.env, &service.process)).expect("names and texts");
    let mut key = CacheKey::new("standing", 2)
        .with("command", &service.command)
        .with("patience", service.patience().as_millis().to_string())
        .with("env_file", env_file)
        .with("venv", venv.as_os_str().as_encoded_bytes())
        .with("variables", variables);
    if !config.is_at_top() {
        key = key.with("directory", &config.directory);
    }
    if reads_files(&service.words()) {
        // An earlier version led no master to its files.
        key = key.with("files", "led to");
    }
    key.finish()
}

/// The words of a command, so that the server finds the code of `app` through the link each time:
/// where it changes directory to, it goes there through it. gunicorn finds its file by `PWD`, uWSGI by its words.
pub fn through_link(words: Vec<String>, app: &Path) -> Vec<String> {
    let mut words = if reads_files(&words) { server::through(&words, app) } else { words };
    let place = |value: &str| app.join(value).display().to_string();
    for index in 0..words.len() {
        if let Some(value) = words[index].strip_prefix("--chdir=") {
            words[index] = format!("--chdir={}", place(value));
            return words;
        }
        if words[index] == "--chdir" && index + 1 < words.len() {
            words[index + 1] = place(&words[index + 1]);
            return words;
        }
    }
    words.extend(["--chdir".to_owned(), app.display().to_string()]);
    words
}

fn reads_files(words: &[String]) -> bool {
    Server::of(words) == Server::Uwsgi && server::configured_by(words).next().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_that_moves_in_its_repository_needs_a_new_master() {
        let service = crate::config::tests::worker();
        let started = |directory: &str| {
            let config = Config { directory: directory.to_owned(), ..Config::default() };
            started_with(&config, &service, b"", Path::new("/venv"))
        };
        assert_eq!(started("shop"), started("shop"));
        assert_ne!(started("shop"), started("store"));
        assert_ne!(started("shop"), started("."));
    }

    #[test]
    fn a_masters_name_tells_its_service() {
        assert_eq!(of_program(&program("web")), Some("web"));
        assert_eq!(of_program("web-20261120T101500Z-3f2c1a9-g1"), None);
    }

    #[test]
    fn a_server_changes_directory_through_the_link() {
        let words = |text: &str| {
            let words = text.split(' ').map(str::to_owned).collect();
            through_link(words, Path::new("/srv/run/web")).join(" ")
        };
        assert_eq!(words("gunicorn a"), "gunicorn a --chdir /srv/run/web");
        assert_eq!(words("gunicorn --chdir web a"), "gunicorn --chdir /srv/run/web/web a");
        assert_eq!(words("gunicorn --chdir=web a"), "gunicorn --chdir=/srv/run/web/web a");
        assert_eq!(words("gunicorn --chdir /opt/x a"), "gunicorn --chdir /opt/x a");
        let uwsgi = "uwsgi /srv/run/web/web.ini --chdir /srv/run/web";
        assert_eq!(words("uwsgi web.ini"), uwsgi);
    }
}
