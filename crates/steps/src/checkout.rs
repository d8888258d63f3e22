//! Writes the revision's tree into the new release.

use release_core::host::{CheckedOut, HostResult, Written};
use release_core::run::Run;
use release_core::step::{Context, Look, Outcome, Step, StepError, UndoPolicy};

use crate::place::discard;

/// Checks out the revision.
#[derive(Clone, Copy, Debug)]
pub struct Checkout;

const THERE: &str = "it is checked out";

impl Step for Checkout {
    fn id(&self) -> &'static str {
        "checkout"
    }

    fn describe(&self, run: &Run) -> String {
        format!("check out {}", run.revision.short())
    }

    fn undo_policy(&self) -> UndoPolicy {
        UndoPolicy::Will("remove the release's directory")
    }

    fn look(&self, cx: &Context<'_>) -> Result<Look, StepError> {
        refuse_our_names(cx)?;
        Ok(match is_whole(cx)? {
            true => Look::Nothing(THERE.to_owned()),
            false => Look::Needed("every release has its own directory".to_owned()),
        })
    }

    fn run(&self, cx: &Context<'_>) -> Result<Outcome, StepError> {
        if is_whole(cx)? {
            return Ok(Outcome::Skipped(THERE.to_owned()));
        }
        refuse_our_names(cx)?;
        let (layout, release) = (&cx.run.layout, cx.run.release());
        let directory = layout.release(release);
        // Only a killed run leaves one.
        discard(cx, &directory)?;
        cx.host.make_dir(&layout.releases())?;
        let (into, spare) = (layout.checked_out(release), layout.spare());
        let progress = |progress| cx.progress(progress);
        let like = cx.run.previous.as_ref().map(|previous| layout.checked_out(&previous.release));
        let revision = &cx.run.revision;
        let written = cx.host.checkout(&layout.repo(), revision, &into, &spare, like.as_ref(), &progress)?;
        cx.host.make_dir(&layout.run(release))?;
        // Last: it says that the tree is whole. After a power cut before `activate`, which syncs all, the release is undone.
        cx.host.make_file(&layout.revision_file(release), &revision_line(cx.run), 0o644)?;
        Ok(Outcome::DoneWith(note(written)))
    }

    fn undo(&self, cx: &Context<'_>) -> Result<(), StepError> {
        let CheckedOut { tree, record } = cx.run.layout.checked_out(cx.run.release());
        discard(cx, &tree)?;
        Ok(cx.host.remove(&record)?)
    }
}

fn note(written: Written) -> String {
    let Written { files, taken, cloned } = written;
    let mut note = format!("{files} files");
    if taken > 0 {
        note.push_str(&format!(", {taken} taken over from a removed release"));
    }
    if cloned > 0 {
        note.push_str(&format!(", {cloned} share their blocks with the release before"));
    }
    note
}

fn revision_line(run: &Run) -> Vec<u8> {
    format!("{}\n", run.revision).into_bytes()
}

fn is_whole(cx: &Context<'_>) -> HostResult<bool> {
    let found = cx.host.read(&cx.run.layout.revision_file(cx.run.release()))?;
    Ok(found.is_some_and(|found| found == revision_line(cx.run)))
}

/// What the tree may not track, because a release has its own.
fn refuse_our_names(cx: &Context<'_>) -> Result<(), StepError> {
    let (repo, revision) = (cx.run.layout.repo(), &cx.run.revision);
    let names = cx.host.names(&repo, revision, "")?;
    let tracked = |name: &str| names.iter().any(|tracked| tracked == name);
    if let Some(name) = ["venv", "REVISION"].into_iter().find(|name| tracked(name)) {
        return Err(StepError::Refused {
            what: format!("the repository tracks `{name}`, which every release has of its own"),
            help: format!("git rm -r --cached {name} && echo /{name} >> .gitignore"),
        });
    }
    if tracked("run") && cx.host.names(&repo, revision, "run")?.is_empty() {
        return Err(StepError::Refused {
            what: "the repository tracks `run`, and it is no directory; services put their sockets there"
                .to_owned(),
            help: "give it another name: git mv run run.sh".to_owned(),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use release_testkit::{Commit, REVISION, Scene};

    use super::*;

    fn scene(commit: Commit) -> Scene {
        let scene = Scene::new();
        scene.host.commit(commit);
        scene
    }

    fn app() -> Commit {
        Commit::new(REVISION).file("manage.py", "#!").file("shop/settings.py", "").file("run/.keep", "")
    }

    const RELEASE: &str = "/srv/shop/releases/20261120T101500Z-3f2c1a9";

    #[test]
    fn the_tree_is_there_with_its_revision_and_a_place_for_sockets() {
        let scene = scene(app());
        assert_eq!(scene.run(&Checkout).unwrap(), Outcome::DoneWith("3 files".to_owned()));
        let text = |name: &str| scene.host.text(format!("{RELEASE}/{name}"));
        assert_eq!(text("manage.py").as_deref(), Some("#!"));
        assert_eq!(text("REVISION").unwrap(), format!("{REVISION}\n"));
        assert!(scene.host.exists(format!("{RELEASE}/run")));
    }

    #[test]
    fn a_second_run_is_skipped_and_undo_removes_all() {
        let scene = scene(app());
        scene.host.put_dir("/srv/shop/releases");
        scene.host.put_dir("/srv/shop/.release/trash");
        scene.host.put_dir("/srv/shop/.release/releases");
        let before = scene.host.all();
        scene.run(&Checkout).unwrap();
        assert_eq!(scene.run(&Checkout).unwrap(), Outcome::Skipped(THERE.to_owned()));
        scene.undo(&Checkout).unwrap();
        scene.undo(&Checkout).unwrap();
        assert_eq!(scene.host.all(), before);
    }

    #[test]
    fn a_spare_tree_is_used_up_and_told() {
        let scene = scene(app());
        scene.host.put_file("/srv/shop/.release/spare/manage.py", "#!");
        let note = "3 files, 3 taken over from a removed release".to_owned();
        assert_eq!(scene.run(&Checkout).unwrap(), Outcome::DoneWith(note));
        assert!(!scene.host.exists("/srv/shop/.release/spare"));
    }

    #[test]
    fn what_a_killed_run_left_goes_first() {
        let scene = scene(app());
        scene.host.put_file(format!("{RELEASE}/half.py"), "");
        assert!(matches!(scene.run(&Checkout).unwrap(), Outcome::DoneWith(_)));
        assert!(!scene.host.exists(format!("{RELEASE}/half.py")));
    }

    #[test]
    fn a_checkout_that_fails_half_way_is_removed() {
        let scene = scene(app());
        scene.host.fail_at("make_file", "REVISION");
        assert!(scene.run(&Checkout).is_err());
        scene.undo(&Checkout).unwrap();
        assert!(!scene.host.exists(RELEASE));
    }

    #[test]
    fn a_tree_with_our_names_is_refused() {
        for name in ["venv", "venv/bin/python", "REVISION", "run"] {
            let scene = scene(app().file(name, ""));
            let scene =
                if name == "run" { self::scene(Commit::new(REVISION).file("run", "")) } else { scene };
            let error = scene.run(&Checkout).unwrap_err();
            assert!(error.to_string().starts_with("the repository tracks"), "{error}");
            assert!(error.help().unwrap().contains("git "), "{name}");
            assert!(scene.look(&Checkout).is_err());
            assert!(!scene.host.exists(RELEASE));
        }
    }
}
