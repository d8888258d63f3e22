//! Requirement files that include others, and packages beside them, with the real pip.

use std::fs;
use std::path::{Path, PathBuf};

use crate::project::{HERE, Project, SIX};
use crate::support::git;

/// A package that has no other home than its repository.
struct Library(PathBuf);

impl Library {
    fn new(project: &Project) -> Self {
        let library = Self(project.sandbox.directory().join("spectra"));
        fs::create_dir(&library.0).unwrap();
        for file in ["backend.py", "pyproject.toml"] {
            fs::copy(Path::new(HERE).join("projects/library").join(file), library.0.join(file)).unwrap();
        }
        library.git(&["init", "-q", "-b", "main"]);
        library.publish(1);
        library
    }

    fn publish(&self, version: u32) {
        fs::write(self.0.join("spectra.py"), format!("VERSION = {version}\n")).unwrap();
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", "publish"]);
    }

    fn git(&self, words: &[&str]) {
        assert!(git(&self.0).args(words).status().unwrap().success(), "git {words:?}");
    }
}

/// `installer: pip`, two files, and packages by name and by URL.
fn project() -> (Project, Library) {
    let project = Project::new("requirements", "");
    let library = Library::new(&project);
    let text = format!(
        "python:\n  installer: pip\n  requirements: [requirements/production.txt, requirements/search.txt]\n  \
         packages: [toml==0.10.2, \"git+file://{}@main\"]\n",
        library.0.display()
    );
    project.commit("release.yml", &text);
    (project, library)
}

#[track_caller]
fn assert_needed(project: &Project, because: &str) {
    let (state, why) = project.plan("venv");
    assert!(state == "needed" && why.contains(because), "{state}: {why}");
}

#[test]
fn files_that_include_others_and_a_package_from_git() {
    let (project, library) = project();
    assert!(project.deploy().built("venv"));
    let versions =
        "import packaging, six, spectra; print(packaging.__version__, six.__version__, spectra.VERSION)";
    assert_eq!(project.python(versions), "24.0 1.16.0 1");
    assert!(project.has("toml") && !project.has("pytest"));

    library.publish(2);
    project.commit("requirements/development.txt", "# for those who test\npytest\n");
    project.commit("notes.py", "# of no matter\n");
    assert_eq!(project.plan("venv").0, "cached");

    project.commit("requirements/base.txt", "six\nidna\n");
    assert_needed(&project, "requirements/base.txt changed");
    project.commit("requirements/base.txt", "six\n");
    assert_eq!(project.plan("venv").0, "cached");
    project.commit("constraints.txt", "packaging==24.0\nsix==1.17.0\n");
    assert_needed(&project, "constraints.txt changed");
    assert!(project.deploy().built("venv"));
    assert_eq!(project.python(SIX), "1.17.0");
    assert_eq!(project.python("import spectra; print(spectra.VERSION)"), "2");
}
