//! A fake Django project: a database that knows what is applied, behind fake `python` commands.

use std::sync::{Arc, Mutex};

use release_core::command::Command;
use release_testkit::{Answer, FakeHost, Scene};
use serde_json::json;

/// The migrations of the project, in order: app, name, and whether it can be reversed.
pub(crate) type Known = &'static [(&'static str, &'static str, bool)];

/// What the database has.
#[derive(Clone, Default)]
pub(crate) struct Database(Arc<Mutex<Vec<(String, String)>>>);

impl Database {
    pub(crate) fn applied(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().map(|(app, name)| format!("{app}.{name}")).collect()
    }

    pub(crate) fn apply(&self, app: &str, name: &str) {
        self.0.lock().unwrap().push((app.to_owned(), name.to_owned()));
    }

    pub(crate) fn forget(&self, name: &str) {
        self.0.lock().unwrap().retain(|(_, known)| known != name);
    }
}

/// A scene whose project has these migrations; migrating stops with an error before the one called `stop`.
pub(crate) fn project(known: Known, stop: Option<&'static str>) -> (Scene, Database) {
    let (scene, database) = (Scene::new(), Database::default());
    let of = database.clone();
    scene.host.on_call("python -c ", move |_, _| answer(&describe(known, &of)));
    let of = database.clone();
    scene.host.on_call("manage.py migrate", move |_, command| migrate(known, stop, &of, command));
    (scene, database)
}

/// Makes the project say this when it is asked.
pub(crate) fn says(host: &FakeHost, inspection: &serde_json::Value) {
    let answer = answer(inspection);
    host.on_call("python -c ", move |_, _| answer.clone());
}

fn answer(inspection: &serde_json::Value) -> Answer {
    Answer::ok().says(&printed(inspection))
}

/// What a project prints that is asked.
pub(crate) fn printed(inspection: &serde_json::Value) -> String {
    let json: Vec<char> = inspection.to_string().chars().collect();
    let pieces = json.chunks(30).map(|piece| format!("@release-inspect:{}\n", String::from_iter(piece)));
    format!("junk from the settings\n{}", pieces.collect::<String>())
}

fn describe(known: Known, database: &Database) -> serde_json::Value {
    let applied = database.0.lock().unwrap().clone();
    let is_pending = |app: &str, name: &str| !applied.contains(&(app.to_owned(), name.to_owned()));
    let pending: Vec<_> = known
        .iter()
        .filter(|(app, name, _)| is_pending(app, name))
        .map(|(app, name, reversible)| json!({"app": app, "name": name, "operations": [], "reversible": reversible}))
        .collect();
    json!({"static_root": null, "applied": applied, "pending": pending, "checks": []})
}

/// `manage.py migrate --noinput`, or `manage.py migrate <app> <name|zero> --noinput`.
fn migrate(known: Known, stop: Option<&str>, database: &Database, command: &Command) -> Answer {
    if let [_, _, app, target, _] = command.args.as_slice() {
        let position = |wanted: &str| known.iter().position(|(of, name, _)| of == app && *name == wanted);
        let keep = if target == "zero" { None } else { Some(position(target).unwrap()) };
        database.0.lock().unwrap().retain(|(of, name)| of != app || position(name) <= keep);
        return Answer::ok();
    }
    for (app, name, _) in known {
        if stop == Some(*name) {
            return Answer::code(1).says("django.db.utils.IntegrityError: no");
        }
        if !database.applied().contains(&format!("{app}.{name}")) {
            database.apply(app, name);
        }
    }
    Answer::ok()
}
