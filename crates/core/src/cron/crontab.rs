//! The part of a user's crontab that is ours: between two marks that name the root. All else
//! stays as it is, byte for byte.

use std::path::Path;

use super::Entry;

/// The lines of one root in a crontab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    begin: String,
    end: String,
    /// How a line calls us: `release` and `--root DIR`, for a shell that cron starts.
    program: String,
    root: String,
}

const BEGIN: &str = "# begin release ";
const WARNING: &str = "# made by `release` from `cron:` of release.yml: a change here is lost";

impl Block {
    /// The block of `root`, whose lines call `program`.
    pub fn of(root: &Path, program: &str) -> Self {
        let root = root.display().to_string();
        Self {
            begin: format!("{BEGIN}{root}"),
            end: format!("# end release {root}"),
            program: quoted(program),
            root: quoted(&root),
        }
    }

    /// The line of an entry. It tells its time too: what the active release has otherwise does
    /// not run by it.
    pub fn line(&self, entry: &Entry) -> String {
        let Self { program, root, .. } = self;
        let (at, name) = (&entry.at, &entry.name);
        format!("{at} {program} cron run {name} --at '{at}' --root {root}")
    }

    /// The name of the entry that a line runs.
    pub fn entry_of(line: &str) -> Option<&str> {
        line.split_once(" cron run ")?.1.split(' ').next()
    }

    /// The lines that `crontab` has for this root; none without a block.
    pub fn lines(&self, crontab: &[u8]) -> Vec<String> {
        let Some((before, after)) = self.place(crontab) else { return Vec::new() };
        let inner = String::from_utf8_lossy(&crontab[before..after]);
        inner.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
    }

    /// `crontab` with these lines for this root, and no block where there are none.
    pub fn replace(&self, crontab: &[u8], lines: &[String]) -> Vec<u8> {
        let (before, after) = self.place(crontab).unwrap_or((crontab.len(), crontab.len()));
        let mut text = crontab[..before].to_vec();
        if !lines.is_empty() {
            if !text.is_empty() && !text.ends_with(b"\n") {
                text.push(b'\n');
            }
            let block =
                [&[self.begin.clone(), WARNING.to_owned()], lines, std::slice::from_ref(&self.end)].concat();
            text.extend(block.iter().flat_map(|line| [line.as_bytes(), b"\n"].concat()));
        }
        text.extend_from_slice(&crontab[after..]);
        text
    }

    /// Where the block stands, with its marks. One whose end was removed holds only its first lines
    /// that are ours.
    fn place(&self, crontab: &[u8]) -> Option<(usize, usize)> {
        let lines: Vec<&[u8]> = crontab.split_inclusive(|byte| *byte == b'\n').collect();
        let is = |line: &[u8], text: &str| line.trim_ascii_end() == text.as_bytes();
        let begin = lines.iter().position(|line| is(line, &self.begin))?;
        let inner = &lines[begin + 1..];
        let next = inner.iter().position(|line| is(line, &self.end) || line.starts_with(BEGIN.as_bytes()));
        let length = match next.filter(|next| is(inner[*next], &self.end)) {
            Some(end) => end + 1,
            None => inner.iter().take_while(|line| self.is_own(line)).count(),
        };
        let at = |line: usize| lines[..line].iter().map(|line| line.len()).sum();
        Some((at(begin), at(begin + 1 + length)))
    }

    fn is_own(&self, line: &[u8]) -> bool {
        let (line, calls) = (line.trim_ascii_end(), format!(" --root {}", self.root));
        line == WARNING.as_bytes() || line.ends_with(calls.as_bytes())
    }
}

/// For a shell, and for cron before it, to which a bare `%` ends the command.
fn quoted(text: &str) -> String {
    shell_words::quote(text).replace('%', "\\%")
}
