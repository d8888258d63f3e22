//! Which Python a project asks for: an exact version, a range, or any.

use std::fmt;
use std::str::FromStr;

use pep440_rs::{Version, VersionSpecifiers};

/// What is asked for, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedPython {
    wanted: Wanted,
    by: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Wanted {
    Any,
    /// `3.11` takes every 3.11.
    Version(String),
    Range(VersionSpecifiers),
}

/// Versions of Python 3 that may be installed beside each other, newest first.
const KNOWN: std::ops::RangeInclusive<u32> = 8..=20;

impl WantedPython {
    /// Whatever `python3` is.
    pub fn any() -> Self {
        Self { wanted: Wanted::Any, by: "" }
    }

    /// The version that a person wrote down in release.yml.
    pub fn version(version: &str) -> Self {
        Self { wanted: Wanted::Version(version.to_owned()), by: "python.version" }
    }

    /// What a `.python-version` names. Its patch version is a developer's: a server with a newer
    /// one is not refused. `None` if it names an environment or another kind of Python.
    pub fn of_version_file(text: &str) -> Option<Self> {
        let line = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'))?;
        let version = line.strip_prefix("cpython-").or(line.strip_prefix("python-")).unwrap_or(line);
        let parts: Vec<&str> = version.split('.').collect();
        let numeric = parts.iter().all(|part| !part.is_empty() && part.bytes().all(|c| c.is_ascii_digit()));
        let minor = parts.get(..parts.len().min(2))?.join(".");
        numeric.then_some(Self { wanted: Wanted::Version(minor), by: ".python-version" })
    }

    /// A range such as `>=3.10,<4`, or Poetry's `^3.10`. `None` if it cannot be read.
    pub fn range(text: &str, by: &'static str) -> Option<Self> {
        let plain: Vec<String> =
            text.split(',').map(|part| plain_specifier(part.trim())).collect::<Option<_>>()?;
        let specifiers = VersionSpecifiers::from_str(&plain.join(",")).ok()?;
        Some(Self { wanted: Wanted::Range(specifiers), by })
    }

    /// The programs to try, the best first.
    pub fn programs(&self) -> Vec<String> {
        let usual = "python3".to_owned();
        match &self.wanted {
            Wanted::Any => vec![usual],
            Wanted::Version(version) => vec![format!("python{}", minor(version)), usual],
            Wanted::Range(_) => std::iter::once(usual).chain(all_programs()).collect(),
        }
    }

    /// Whether an interpreter of this version will do.
    pub fn accepts(&self, version: &str) -> bool {
        match &self.wanted {
            Wanted::Any => true,
            Wanted::Version(wanted) => version
                .strip_prefix(wanted.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.')),
            Wanted::Range(range) => Version::from_str(version).is_ok_and(|version| range.contains(&version)),
        }
    }

    /// The package to install for it, as Debian names it.
    pub fn package(&self) -> String {
        match &self.wanted {
            Wanted::Version(version) => format!("python{}", minor(version)),
            Wanted::Any | Wanted::Range(_) => "python3".to_owned(),
        }
    }
}

impl fmt::Display for WantedPython {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.wanted {
            Wanted::Any => f.write_str("python3"),
            Wanted::Version(version) => write!(f, "python {version} ({})", self.by),
            Wanted::Range(range) => write!(f, "python {range} ({})", self.by),
        }
    }
}

/// Every `python3.N` that may be installed, newest first.
pub fn all_programs() -> impl Iterator<Item = String> {
    KNOWN.rev().map(|minor| format!("python3.{minor}"))
}

/// `3.11` of `3.11.7`.
pub fn minor(version: &str) -> String {
    version.split('.').take(2).collect::<Vec<_>>().join(".")
}

/// Poetry's `^3.10` and `~3.10` as everybody else writes them.
fn plain_specifier(part: &str) -> Option<String> {
    let Some(rest) = part.strip_prefix('^').or(part.strip_prefix('~').filter(|rest| !rest.starts_with('=')))
    else {
        return Some(if part == "*" { ">=3".to_owned() } else { part.to_owned() });
    };
    let major: u32 = rest.split('.').next()?.parse().ok()?;
    let second: Option<u32> = rest.split('.').nth(1).and_then(|part| part.parse().ok());
    let below = match second.filter(|_| part.starts_with('~')) {
        Some(minor) => format!("{major}.{}", minor + 1),
        None => (major + 1).to_string(),
    };
    Some(format!(">={rest},<{below}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_takes_all_that_begin_like_it() {
        let wanted = WantedPython::version("3.11");
        assert!(wanted.accepts("3.11.7") && wanted.accepts("3.11"));
        assert!(!wanted.accepts("3.1.1") && !wanted.accepts("3.110.0"));
        assert_eq!(wanted.programs(), ["python3.11", "python3"]);
        assert_eq!(wanted.to_string(), "python 3.11 (python.version)");
        assert!(!WantedPython::version("3.11.70").accepts("3.11.7"));
    }

    #[test]
    fn ranges_are_read_as_pip_uv_and_poetry_write_them() {
        let accepted = |text: &str, version: &str| WantedPython::range(text, "x").unwrap().accepts(version);
        for (text, yes, no) in [
            (">=3.10", "3.13.1", "3.9.18"),
            (">=3.10,<3.13", "3.12.4", "3.13.0"),
            ("==3.11.*", "3.11.7", "3.12.1"),
            ("~=3.10", "3.13.0", "3.9.1"),
            ("^3.11", "3.12.1", "3.10.2"),
            ("~3.11", "3.11.7", "3.12.0"),
            ("!=3.12.1,>=3.8", "3.12.2", "3.12.1"),
        ] {
            assert!(accepted(text, yes) && !accepted(text, no), "{text}");
        }
        assert!(accepted("*", "3.9.1"));
        assert_eq!(WantedPython::range("whatever", "x"), None);
    }

    #[test]
    fn a_version_file_asks_for_a_minor_version() {
        let minor = |text: &str| WantedPython::of_version_file(text).map(|wanted| wanted.to_string());
        assert_eq!(minor("3.11.4\n").unwrap(), "python 3.11 (.python-version)");
        assert_eq!(minor("# ours\ncpython-3.12\n").unwrap(), "python 3.12 (.python-version)");
        assert_eq!([minor("shop-env\n"), minor("pypy3.10"), minor("")], [None, None, None]);
    }
}
