//! Names that a tree may not hold: git itself would never have written them there.

use std::collections::HashSet;

/// Characters that HFS+ does not see in a name, as UTF-8.
const UNSEEN: [&str; 16] = [
    "\u{200c}", "\u{200d}", "\u{200e}", "\u{200f}", "\u{202a}", "\u{202b}", "\u{202c}", "\u{202d}",
    "\u{202e}", "\u{206a}", "\u{206b}", "\u{206c}", "\u{206d}", "\u{206e}", "\u{206f}", "\u{feff}",
];

/// Why `name` may not be written; `None` if it may.
pub(super) fn problem(name: &[u8]) -> Option<&'static str> {
    match name {
        b"" => Some("it has no name"),
        b"." | b".." => Some("it names another directory"),
        _ if name.contains(&b'/') || name.contains(&0) => Some("a name is no path"),
        _ if is_dot_git(name) => Some("it would be taken for a repository"),
        _ => None,
    }
}

/// `.git`, in the spelling of any file system.
fn is_dot_git(name: &[u8]) -> bool {
    let mut text = String::from_utf8_lossy(name).into_owned();
    // Most names are plain, and there are many of them.
    for unseen in UNSEEN.iter().filter(|_| !name.is_ascii()) {
        text = text.replace(unseen, "");
    }
    let text = text.trim_end_matches([' ', '.']).to_ascii_lowercase();
    let stem = text.split(':').next().unwrap_or_default();
    stem == ".git" || stem == "git~1"
}

/// The names of one directory, each of which may stand there once.
#[derive(Debug, Default)]
pub(super) struct Once(HashSet<Vec<u8>>);

impl Once {
    /// Why `name` may not be written here.
    pub(super) fn problem(&mut self, name: &[u8]) -> Option<&'static str> {
        problem(name).or_else(|| (!self.0.insert(name.to_owned())).then_some("it stands there twice"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_repository_is_refused() {
        for name in [".git", ".GIT", ".Git ", ".git.", "git~1", ".g\u{200c}it", ".git::$INDEX_ALLOCATION"] {
            assert!(problem(name.as_bytes()).is_some(), "{name:?}");
        }
        for name in [&b""[..], b".", b"..", b"a/b", b"a\0b"] {
            assert!(problem(name).is_some(), "{name:?}");
        }
        for name in [&b".gitignore"[..], b".github", b"git", b"...", b"caf\xe9", b" .git", b"a.git"] {
            assert!(problem(name).is_none(), "{name:?}");
        }
    }

    #[test]
    fn a_name_stands_once_in_a_directory() {
        let mut names = Once::default();
        assert!(names.problem(b"a").is_none() && names.problem(b"A").is_none());
        assert!(names.problem(b"a").is_some());
    }
}
