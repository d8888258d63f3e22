//! Which Node.js a front end asks for.

use node_semver::{Range, Version};

/// Why this node will not do; `None` if it will, or if nothing readable is asked for.
///
/// `version` is what `node --version` says; a version file comes with its name.
pub fn refusal(version: &str, engines: Option<&str>, version_file: Option<(&str, &str)>) -> Option<String> {
    let node: Version = version.trim().trim_start_matches('v').parse().ok()?;
    let engines = engines.map(|text| (text.trim().to_owned(), text.trim().to_owned(), "engines.node"));
    let file =
        version_file.and_then(|(name, text)| of_version_file(text).map(|(text, range)| (text, range, name)));
    let unfit = engines
        .into_iter()
        .chain(file)
        .find(|(_, range, _)| range.parse::<Range>().is_ok_and(|range| !node.satisfies(&range)));
    unfit.map(|(text, _, by)| format!("node {text} is wanted ({by}), and node here is {version}"))
}

/// What the file says, and the range it stands for: a newer patch of the same major will do too.
/// Names such as `lts/*` ask for nothing in particular.
fn of_version_file(text: &str) -> Option<(String, String)> {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'))?;
    let version = line.trim_start_matches('v');
    let numeric = version.split('.').all(|part| !part.is_empty() && part.bytes().all(|c| c.is_ascii_digit()));
    numeric.then(|| (line.to_owned(), format!("^{version}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_are_ranges() {
        for (range, fits) in [
            (">=18", true),
            ("^20.0.0", true),
            ("20.x || 22.x", true),
            (">=18 <20", false),
            ("22", false),
            ("not a range", true),
        ] {
            assert_eq!(refusal("v20.20.2", Some(range), None).is_none(), fits, "{range}");
        }
        let why = refusal("v20.20.2", Some(">=22"), None).unwrap();
        assert_eq!(why, "node >=22 is wanted (engines.node), and node here is v20.20.2");
    }

    #[test]
    fn a_version_file_takes_newer_patches_of_its_major() {
        for (file, fits) in [
            ("20\n", true),
            ("v20.11.1", true),
            ("20.21", false),
            ("18", false),
            ("v22.1.0", false),
            ("lts/*", true),
            ("lts/iron", true),
            ("", true),
        ] {
            assert_eq!(refusal("v20.20.2", None, Some((".nvmrc", file))).is_none(), fits, "{file}");
        }
    }
}
