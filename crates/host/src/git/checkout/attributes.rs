//! What `.gitattributes` says: what a release leaves out, and which files are not written as they
//! are stored. git itself is asked: nobody else reads these files quite as it does.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io::{self, BufRead, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use release_core::event::Progress;
use release_core::host::HostResult;
use tempfile::TempDir;

use super::Checkout;
use super::large::Large;
use super::list::{Entry, List, Mode};
use crate::files::failed;
use crate::git::program::{self, Program};
use crate::git::{attended, fetch};

const ASKED: [&str; 6] = ["export-ignore", "export-subst", "eol", "ident", "filter", "working-tree-encoding"];
/// The name of the filter of Git LFS.
const LFS: &[u8] = b"lfs";
/// Calls git-lfs without any setting of this user's.
const LFS_SETTINGS: [&str; 6] = [
    "-c",
    "filter.lfs.process=git-lfs filter-process",
    "-c",
    "filter.lfs.smudge=git-lfs smudge -- %f",
    "-c",
    "filter.lfs.required=true",
];
/// How many paths fit on a command line, whatever their length.
const PATHS: usize = 200;

/// How a file gets its contents; what comes later includes what comes before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum How {
    /// As it is stored.
    Plain,
    /// Through git's filters.
    Filtered,
    /// Through git-lfs.
    Large,
    /// With `$Format:…$` filled in.
    Substituted,
    /// Not at all.
    Ignored,
}

/// The files that git has to write.
#[derive(Debug)]
pub(super) struct Attributes {
    index: TempDir,
    filtered: Vec<PathBuf>,
    substituted: Vec<PathBuf>,
    large: Option<Large>,
}

impl Attributes {
    /// Takes from `list` what is ignored and what git has to write; `tree` is its id.
    pub(super) fn take(program: Program<'_>, tree: &str, list: &mut List) -> HostResult<Self> {
        let index =
            tempfile::tempdir().map_err(failed("make a temporary directory in", &std::env::temp_dir()))?;
        let mut found = Self { index, filtered: Vec::new(), substituted: Vec::new(), large: None };
        let read = found.git(program, &["read-tree", tree]);
        program::run(read, b"")?;
        let hows = found.ask(program, list)?;
        found.sort(list, &hows);
        found.large.iter().try_for_each(|large| large.refuse_without_lfs(program))?;
        Ok(found)
    }

    /// How many files git has to write.
    pub(super) fn count(&self) -> usize {
        self.filtered.len() + self.substituted.len()
    }

    /// Has git write them, once the directories and all other files are there.
    pub(super) fn write(
        &self,
        checkout: &Checkout<'_>,
        program: Program<'_>,
        into: &Path,
        commit: &str,
    ) -> HostResult<()> {
        if !self.filtered.is_empty() {
            let (total, mut begun) = (self.large.as_ref().map_or(0, Large::count), 0);
            let heard = &mut |line: &str| {
                // What it has already it does not tell of.
                if line.starts_with("Downloading ") {
                    begun += 1;
                    (checkout.progress)(Progress { done: begun, total, unit: "files of Git LFS" });
                }
            };
            let filters = self.through_filters(program, into);
            attended::run(filters, &lines(&self.filtered), &checkout.host.interruption, heard)?;
        }
        self.large.iter().for_each(|large| large.note_use(program.repository));
        for paths in self.substituted.chunks(PATHS) {
            let mut archive = program.git(&["--literal-pathspecs", "archive", "--format=tar", commit, "--"]);
            archive.args(paths);
            let archive = program::run(archive, b"")?;
            let mut tar = program.prepare("tar");
            tar.args([
                "-x",
                "-f",
                "-",
                "--no-same-owner",
                "--no-same-permissions",
                "--no-overwrite-dir",
                "-C",
            ]);
            tar.arg(into);
            program::run(tar, &archive)?;
        }
        Ok(())
    }

    fn through_filters(&self, program: Program<'_>, into: &Path) -> Command {
        let mut args = if self.large.is_some() { LFS_SETTINGS.to_vec() } else { Vec::new() };
        args.extend(["checkout-index", "-z", "--stdin"]);
        let mut checkout = self.git(program, &args);
        checkout.current_dir(into).env("GIT_WORK_TREE", into);
        if self.large.is_some() {
            // git-lfs reaches its server as git reached the repository's.
            let variables = fetch::variables(program.repository);
            checkout.envs(variables.iter().map(|(name, value)| (name, value.reveal())));
        }
        checkout
    }

    /// git with an index of its own.
    fn git(&self, program: Program<'_>, args: &[&str]) -> Command {
        let mut command = program.git(args);
        command.env("GIT_INDEX_FILE", self.index.path().join("index"));
        command
    }

    /// How each path of `list` is written that is not plain.
    fn ask(&self, program: Program<'_>, list: &List) -> HostResult<HashMap<PathBuf, How>> {
        let args = ["check-attr", "--cached", "-z", "--stdin"].iter().chain(&ASKED);
        let command = self.git(program, &args.copied().collect::<Vec<_>>());
        program::converse(command, |to| ask(list, to), hows)
    }

    fn sort(&mut self, list: &mut List, hows: &HashMap<PathBuf, How>) {
        let how = |path: &Path| hows.get(path).copied().unwrap_or(How::Plain);
        let ignored = |path: &Path| path.ancestors().any(|path| how(path) == How::Ignored);
        list.directories.retain(|path| !ignored(path));
        list.modules.retain(|(path, _)| !ignored(path));
        list.retain(|entry| !ignored(entry.path) && self.keep(entry, how(entry.path)));
    }

    /// Whether the entry is written as it is stored; if not, git's work is noted.
    fn keep(&mut self, entry: Entry<'_>, how: How) -> bool {
        if entry.mode == Mode::Link {
            return true;
        }
        match how {
            How::Plain | How::Ignored => return true,
            How::Substituted => self.substituted.push(entry.path.to_owned()),
            How::Filtered => self.filtered.push(entry.path.to_owned()),
            How::Large => {
                self.large.get_or_insert_with(|| Large::at(entry.path)).add(entry.id);
                self.filtered.push(entry.path.to_owned());
            }
        }
        false
    }
}

fn lines<'a>(paths: impl IntoIterator<Item = &'a PathBuf>) -> Vec<u8> {
    let mut lines = Vec::new();
    for path in paths {
        lines.extend_from_slice(path.as_os_str().as_bytes());
        lines.push(0);
    }
    lines
}

/// Writes down all paths of `list` to be asked for.
fn ask(list: &List, to: &mut dyn Write) -> io::Result<()> {
    let mut ask = |path: &Path, end: &[u8]| {
        to.write_all(path.as_os_str().as_bytes())?;
        to.write_all(end)
    };
    list.paths
        .iter()
        .chain(list.modules.iter().map(|(path, _)| path.as_path()))
        .try_for_each(|path| ask(path, b"\0"))?;
    // That is how git knows a directory.
    list.directories.iter().try_for_each(|path| ask(path, b"/\0"))
}

/// What `git check-attr -z` tells, for each path that is not plain.
fn hows(mut told: impl BufRead) -> io::Result<HashMap<PathBuf, How>> {
    let mut hows: HashMap<PathBuf, How> = HashMap::new();
    let mut field = || {
        let mut field = Vec::new();
        told.read_until(0, &mut field)?;
        io::Result::Ok((field.pop() == Some(0)).then_some(field))
    };
    while let (Some(path), Some(name), Some(value)) = (field()?, field()?, field()?) {
        let how = how(&name, &value);
        if how == How::Plain {
            continue;
        }
        let path = Path::new(OsStr::from_bytes(path.strip_suffix(b"/").unwrap_or(&path)));
        let known = hows.entry(path.to_owned()).or_insert(how);
        *known = how.max(*known);
    }
    Ok(hows)
}

fn how(name: &[u8], value: &[u8]) -> How {
    match (name, value) {
        (_, b"unspecified" | b"unset") => How::Plain,
        (b"export-ignore", b"set") => How::Ignored,
        (b"export-subst", b"set") => How::Substituted,
        (b"filter", LFS) => How::Large,
        (b"eol", b"crlf") | (b"ident" | b"filter" | b"working-tree-encoding", _) => How::Filtered,
        _ => How::Plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_git_tells_decides_how_a_file_is_written() {
        let told = b"a\0eol\0crlf\0a\0filter\0lfs\0b\0ident\0set\0c\0eol\0lf\0docs/\0export-ignore\0set\0\
            d\0filter\0unset\0e\0working-tree-encoding\0UTF-16\0f\0export-subst\0set\0f\0eol\0crlf\0";
        let hows = hows(&told[..]).unwrap();
        let of = |path: &str| hows.get(Path::new(path)).copied();
        assert_eq!([of("a"), of("b"), of("c")], [Some(How::Large), Some(How::Filtered), None]);
        assert_eq!([of("docs"), of("d"), of("e")], [Some(How::Ignored), None, Some(How::Filtered)]);
        assert_eq!(of("f"), Some(How::Substituted), "git archive applies the rest too");
    }
}
