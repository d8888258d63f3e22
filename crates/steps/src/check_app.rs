//! Starts the new code once before anybody depends on it, and tells what it will do to the database.

use std::path::Path;

use release_core::command::Exit;
use release_core::run::Run;
use release_core::step::{Context, Look, Outcome, Step, StepError, UndoPolicy, tail};

use crate::boot_ahead;
use crate::collect_static::CollectStatic;
use crate::django::{self, Inspection, Migration, NO_DJANGO, Start};
use crate::place::{below, in_app, in_release};

/// Runs Django's checks and looks at the migrations. The same process goes on to collect static
/// files, which [`CollectStatic`] tells of.
#[derive(Clone, Debug, Default)]
pub struct CheckApp(pub(crate) Start);

impl Step for CheckApp {
    fn id(&self) -> &'static str {
        "check-app"
    }

    fn describe(&self, run: &Run) -> String {
        let collects = run.config.django.as_ref().is_some_and(CollectStatic::is_wanted);
        let more = if collects { ", collect static files" } else { "" };
        format!("check the app and its migrations{more}")
    }

    fn undo_policy(&self) -> UndoPolicy {
        UndoPolicy::Nothing
    }

    fn look(&self, cx: &Context<'_>) -> Result<Look, StepError> {
        Ok(match cx.run.config.django {
            Some(_) => Look::Needed("the new code has not run here yet".to_owned()),
            None => Look::Nothing(NO_DJANGO.to_owned()),
        })
    }

    fn run(&self, cx: &Context<'_>) -> Result<Outcome, StepError> {
        let Some(django) = &cx.run.config.django else { return Ok(Outcome::Skipped(NO_DJANGO.to_owned())) };
        let found = self.0.ask(cx, django)?;
        refuse_errors(cx, &found)?;
        boot_ahead::confirm(cx, &self.0, django)?;
        if let Some(root) = &found.static_root
            && !is_inside(cx, &below(&in_app(cx, &django.directory), root))?
        {
            cx.warn(format!(
                "STATIC_ROOT is {root}, outside of the release: its files change before the new code is active; \
                 use a directory below BASE_DIR"
            ));
        }
        warn_of_databases_inside(cx, &found)?;
        for Migration { app, name, operations, .. } in &found.pending {
            cx.line(&format!("pending: {app}.{name}: {}", operations.join(", ")));
        }
        Ok(match found.pending.len() {
            0 => Outcome::Done,
            1 => Outcome::DoneWith(format!("1 migration pending: {}", django::brief(&found.pending))),
            count => {
                Outcome::DoneWith(format!("{count} migrations pending: {}", django::brief(&found.pending)))
            }
        })
    }

    fn undo(&self, _: &Context<'_>) -> Result<(), StepError> {
        Ok(())
    }
}

fn refuse_errors(cx: &Context<'_>, found: &Inspection) -> Result<(), StepError> {
    if found.checks.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> =
        found.checks.iter().flat_map(|error| error.lines()).map(|line| cx.line(line)).collect();
    Err(StepError::Command {
        command: "python manage.py check".to_owned(),
        exit: Exit::Code(1),
        output: tail(&lines),
        help: Some("repair what it names, commit and push again".to_owned()),
    })
}

/// The next release would begin with another database, and prune would remove this one.
fn warn_of_databases_inside(cx: &Context<'_>, found: &Inspection) -> Result<(), StepError> {
    for database in &found.sqlite {
        if is_inside(cx, Path::new(database))? {
            cx.warn(format!(
                "the database {database} lies inside the release, and what it holds is lost to the next one; \
                 keep it in a linked directory: `linked_dirs: [data]`, and `BASE_DIR / \"data\" / \"db.sqlite3\"` in the settings"
            ));
        }
    }
    Ok(())
}

/// Services and people may give `STATIC_ROOT` through `current`, which is another release's still.
fn is_inside(cx: &Context<'_>, root: &Path) -> Result<bool, StepError> {
    let release = in_release(cx, ".");
    let real = cx.host.resolve(&release)?.unwrap_or_else(|| release.clone());
    Ok(root.starts_with(&release) || root.starts_with(&real))
}

#[cfg(test)]
mod tests {
    use release_core::command::Inherit;
    use release_testkit::{Answer, Scene};
    use serde_json::json;

    use super::*;
    use crate::django::testing::{project, says};

    #[test]
    fn pending_migrations_are_named_and_nothing_is_changed() {
        let (scene, _) = project(&[("orders", "0001_initial", true), ("orders", "0002_x", false)], None);
        let before = scene.host.all();
        let note = "2 migrations pending: orders.0001_initial, orders.0002_x";
        assert_eq!(scene.run(&CheckApp::default()).unwrap(), Outcome::DoneWith(note.to_owned()));
        assert_eq!(scene.run(&CheckApp::default()).unwrap(), Outcome::DoneWith(note.to_owned()));
        scene.undo(&CheckApp::default()).unwrap();
        assert_eq!(scene.host.all(), before);
        assert!(scene.recorder.lines().contains(&"junk from the settings".to_owned()));
        assert!(!scene.recorder.lines().iter().any(|line| line.contains("@release")));
    }

    #[test]
    fn the_app_sees_the_environment_of_its_services_and_no_other() {
        let (mut scene, _) = project(&[], None);
        scene.facts.config.django.as_mut().unwrap().directory = "web".to_owned();
        assert_eq!(scene.run(&CheckApp::default()).unwrap(), Outcome::Done);
        let command = scene.host.commands().remove(0);
        let release = "/srv/shop/releases/20261120T101500Z-3f2c1a9";
        assert_eq!(command.program.display().to_string(), format!("{release}/venv/bin/python"));
        assert_eq!(command.directory.display().to_string(), format!("{release}/web"));
        assert_eq!(command.inherit, Inherit::Nothing);
        assert_eq!(command.env["DJANGO_SETTINGS_MODULE"].reveal(), "shop.settings");
        assert_eq!(command.env["PWD"].reveal(), format!("{release}/web"));
    }

    #[test]
    fn an_app_below_the_top_starts_in_its_directory() {
        let (mut scene, _) = project(&[], None);
        scene.facts.config.directory = "services/shop".to_owned();
        scene.facts.config.django.as_mut().unwrap().directory = "web".to_owned();
        scene.run(&CheckApp::default()).unwrap();
        let command = scene.host.commands().remove(0);
        let release = "/srv/shop/releases/20261120T101500Z-3f2c1a9";
        assert_eq!(command.program.display().to_string(), format!("{release}/venv/bin/python"));
        assert_eq!(command.directory.display().to_string(), format!("{release}/services/shop/web"));
    }

    #[test]
    fn errors_of_the_checks_stop_the_run() {
        let scene = Scene::new();
        let checks = ["shop.Order.total: (fields.E130) no decimal_places\n\tHINT: add it"];
        says(&scene.host, &json!({"static_root": null, "applied": [], "pending": [], "checks": checks}));
        let error = scene.run(&CheckApp::default()).unwrap_err();
        assert_eq!(error.to_string(), "`python manage.py check` failed (exit code 1)");
        assert_eq!(error.output(), ["shop.Order.total: (fields.E130) no decimal_places", "\tHINT: add it"]);
    }

    #[test]
    fn an_app_that_does_not_start_is_told_by_its_last_lines() {
        let scene = Scene::new();
        let traceback = "Traceback (most recent call last):\nModuleNotFoundError: No module named 'csp'";
        scene.host.on("python -c", Answer::code(1).says(traceback));
        let error = scene.run(&CheckApp::default()).unwrap_err();
        assert_eq!(error.output().last().unwrap(), "ModuleNotFoundError: No module named 'csp'");
        assert!(error.help().unwrap().contains("requirements"));
        assert_eq!(error.to_string(), "`python manage.py check` failed (exit code 1)");
        scene.host.on("python -c", Answer::code(1).says("django.db.utils.OperationalError: refused"));
        assert!(
            scene.run(&CheckApp::default()).unwrap_err().help().unwrap().contains("/srv/shop/shared/.env")
        );
    }

    #[test]
    fn a_static_root_outside_of_the_release_is_warned_of() {
        let inside = "/srv/shop/releases/20261120T101500Z-3f2c1a9/static_root";
        for (root, warnings) in [(inside, 0), ("static_root", 0), ("/var/www/static", 1)] {
            let scene = Scene::new();
            says(&scene.host, &json!({"static_root": root, "applied": [], "pending": [], "checks": []}));
            scene.run(&CheckApp::default()).unwrap();
            assert_eq!(scene.recorder.warnings().len(), warnings, "{root}");
        }
    }

    #[test]
    fn a_database_inside_of_the_release_is_warned_of() {
        let inside = "/srv/shop/releases/20261120T101500Z-3f2c1a9/db.sqlite3";
        for (database, warnings) in [(inside, 1), ("/srv/shop/shared/data/db.sqlite3", 0)] {
            let scene = Scene::new();
            says(&scene.host, &json!({"sqlite": [database], "applied": [], "pending": [], "checks": []}));
            scene.run(&CheckApp::default()).unwrap();
            assert_eq!(scene.recorder.warnings().len(), warnings, "{database}");
        }
    }

    #[test]
    fn many_migrations_are_counted_on_the_screen_and_named_in_the_log() {
        const MANY: [(&str, &str, bool); 6] = [
            ("a", "1", true),
            ("a", "2", true),
            ("b", "1", true),
            ("b", "2", true),
            ("b", "3", true),
            ("b", "4", true),
        ];
        let (scene, _) = project(&MANY, None);
        let note = "6 migrations pending: a.1, a.2, b.1 and 3 more";
        assert_eq!(scene.run(&CheckApp::default()).unwrap(), Outcome::DoneWith(note.to_owned()));
        assert!(scene.recorder.lines().iter().any(|line| line.starts_with("pending: b.2")));
    }

    #[test]
    fn another_kind_of_app_is_skipped() {
        let mut scene = Scene::new();
        scene.facts.config.django = None;
        assert_eq!(scene.run(&CheckApp::default()).unwrap(), Outcome::Skipped(NO_DJANGO.to_owned()));
        assert_eq!(scene.look(&CheckApp::default()).unwrap(), Look::Nothing(NO_DJANGO.to_owned()));
    }
}
