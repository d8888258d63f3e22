//! What of a changed configuration a restart can follow.

use super::Config;

impl Config {
    /// This configuration of a release that is built already, as `now` would have it run; and the
    /// keys that differ but need a new release.
    pub fn restarted(&self, now: Config) -> (Config, Vec<&'static str>) {
        let built = [
            ("app", self.app == now.app),
            ("directory", self.directory == now.directory),
            ("python", self.python == now.python),
            ("frontend", self.frontend == now.frontend),
            ("django", self.django == now.django),
            ("linked_dirs", self.linked_dirs == now.linked_dirs),
            ("linked_files", self.linked_files == now.linked_files),
        ];
        let config = Config {
            app: self.app.clone(),
            directory: self.directory.clone(),
            python: self.python.clone(),
            frontend: self.frontend.clone(),
            django: self.django.clone(),
            linked_dirs: self.linked_dirs.clone(),
            linked_files: self.linked_files.clone(),
            ..now
        };
        (config, built.into_iter().filter(|(_, same)| !same).map(|(key, _)| key).collect())
    }

    /// The keys that the running processes follow only once they are restarted, where `now` differs.
    pub fn changed_for_processes(&self, now: &Config) -> Vec<&'static str> {
        let running = [
            ("env", self.env == now.env),
            ("env_file", self.env_file == now.env_file),
            ("manager", self.manager == now.manager),
            ("services", self.services == now.services),
            ("cron", self.cron == now.cron && self.cron_by == now.cron_by),
        ];
        running.into_iter().filter(|(_, same)| !same).map(|(key, _)| key).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_built_stays_and_is_told() {
        let built = Config { app: "shop".to_owned(), keep: 5, ..Config::default() };
        let now = Config { keep: 9, linked_dirs: vec!["media".to_owned()], ..built.clone() };
        let (config, left) = built.restarted(now);
        assert_eq!((config.keep, config.linked_dirs.len(), left), (9, 0, vec!["linked_dirs"]));
    }

    #[test]
    fn what_processes_do_not_follow_by_themselves_is_named() {
        let running = Config { keep: 5, ..Config::default() };
        let now = Config { keep: 9, env: [("A".to_owned(), "1".to_owned())].into(), ..running.clone() };
        assert_eq!(running.changed_for_processes(&now), ["env"]);
        assert!(running.changed_for_processes(&running).is_empty());
    }
}
