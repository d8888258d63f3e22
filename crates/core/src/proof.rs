//! Whether a process runs from one release alone, by the files that the kernel says it uses.

use std::path::{Path, PathBuf};

/// A process of a service, and what it uses, in real paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessFiles {
    /// Its id.
    pub pid: u32,
    /// What it executes, where it works, what it has mapped and what it has open; `None` where this
    /// user may not ask, as of another user's process.
    pub files: Option<Vec<PathBuf>>,
}

/// The places of which a process may use but one, in real paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ground {
    /// The directories of all releases and of all Python environments.
    pub places: Vec<PathBuf>,
    /// What belongs to the release: its own directory and its own environment.
    pub own: Vec<PathBuf>,
}

/// What a process's files say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It uses what belongs to the release, and nothing of another one.
    Pure,
    /// It uses nothing of any release.
    Elsewhere,
    /// It uses this, which belongs to another release.
    Mixture(PathBuf),
    /// Nobody may tell.
    Unknown,
}

impl Ground {
    /// Judges one process. What lies in none of the places (`shared/`, the system) is everybody's.
    pub fn judge(&self, process: &ProcessFiles) -> Verdict {
        let Some(files) = &process.files else { return Verdict::Unknown };
        let ours = |path: &&PathBuf| below(path, &self.own);
        let foreign = |path: &&PathBuf| below(path, &self.places) && !ours(path);
        match files.iter().find(foreign) {
            Some(path) => Verdict::Mixture(path.clone()),
            None if files.iter().any(|path| ours(&path)) => Verdict::Pure,
            None => Verdict::Elsewhere,
        }
    }
}

fn below(path: &Path, places: &[PathBuf]) -> bool {
    places.iter().any(|place| path.starts_with(place))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(files: &[&str]) -> Verdict {
        let ground = Ground {
            places: vec!["/srv/shop/releases".into(), "/data/cache/venv".into()],
            own: vec!["/srv/shop/releases/b".into(), "/data/cache/venv/two".into()],
        };
        ground.judge(&ProcessFiles { pid: 7, files: Some(files.iter().map(PathBuf::from).collect()) })
    }

    #[test]
    fn a_process_of_one_release_is_pure_whatever_it_shares_with_others() {
        for shared in ["/srv/shop/shared/data/db.sqlite3", "/usr/bin/python3.11", "/srv/shop/releases-old"] {
            assert_eq!(judge(&["/srv/shop/releases/b", shared]), Verdict::Pure, "{shared}");
        }
        assert_eq!(judge(&["/data/cache/venv/two/lib/x.so", "/srv/shop/shared"]), Verdict::Pure);
        assert_eq!(judge(&["/usr/bin/sleep", "/"]), Verdict::Elsewhere);
    }

    #[test]
    fn a_file_of_another_release_or_of_its_environment_makes_a_mixture() {
        for foreign in ["/srv/shop/releases/a", "/srv/shop/releases/bb/x", "/data/cache/venv/one/lib/x.so"] {
            assert_eq!(judge(&["/srv/shop/releases/b", foreign]), Verdict::Mixture(foreign.into()));
        }
    }

    #[test]
    fn of_a_process_that_may_not_be_read_nothing_is_known() {
        let ground = Ground { places: Vec::new(), own: Vec::new() };
        assert_eq!(ground.judge(&ProcessFiles { pid: 7, files: None }), Verdict::Unknown);
    }
}
