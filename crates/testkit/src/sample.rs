//! Facts that most tests start from.

use std::collections::BTreeMap;

use release_core::command::Variables;
use release_core::config::{
    Config, Django, Handover, Health, Instances, Log, ProcessSettings, Service, Wait,
};
use release_core::environment;
use release_core::layout::Layout;
use release_core::redact::Redactor;
use release_core::release::Generation;
use release_core::revision::Revision;
use release_core::run::{Action, Run, RunId};

/// The commit of [`a_run`].
pub const REVISION: &str = "3f2c1a9d0c5b4e6f7a8b9c0d1e2f3a4b5c6d7e8f";

/// The processors of the fake machine.
pub(crate) const CORES: usize = 4;

/// A Django app named `shop` with one service, `web`.
pub fn a_config() -> Config {
    Config {
        app: "shop".to_owned(),
        django: Some(Django {
            settings: "shop.settings".to_owned(),
            directory: ".".to_owned(),
            collectstatic: None,
            migrate: true,
        }),
        services: vec![Service {
            name: "web".to_owned(),
            command: "gunicorn shop.wsgi --bind unix:$SOCKET".to_owned(),
            handover: Handover::Socket,
            reload: None,
            listen: None,
            health: Health { path: "/healthz".to_owned(), ..Health::default() },
            drain: Wait::seconds(10),
            stop: None,
            optional: false,
            env: BTreeMap::new(),
            instances: Instances::default(),
            process: ProcessSettings::default(),
            log: Log::default(),
        }],
        ..Config::default()
    }
}

/// The first deploy of [`a_config`] at [`REVISION`], to `/srv/shop`.
pub fn a_run() -> Run {
    let release: Generation =
        Generation { release: "20261120T101500Z-3f2c1a9".parse().expect("a release id"), number: 1 };
    let revision: Revision = REVISION.parse().expect("a full sha");
    let (layout, config, none) = (Layout::new("/srv/shop"), a_config(), Variables::new());
    let env = environment::of_release(&layout, &release.release, &revision, &config, &none, &none, CORES);
    Run {
        id: RunId("r-1".to_owned()),
        action: Action::Deploy,
        generation: release,
        revision,
        previous: None,
        stand_in: None,
        config,
        layout,
        redactor: Redactor::new(&env),
        env,
        door: vec!["/usr/local/bin/release".to_owned(), "exec".to_owned()],
        cores: CORES,
        no_cache: false,
        good: Vec::new(),
        served: Vec::new(),
    }
}
