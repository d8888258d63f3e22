//! Hashed assets: files whose names hold a digest of what is in them, such as `app.3f2c1a9d0c5b.css`.
//!
//! A page that was opened before a deploy asks for those of its own release later on. As their
//! names change with their contents they can stay beside those of the next release.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::config::KeepAssets;
use crate::release::ReleaseId;

/// The hashed assets that a release brought itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assets {
    /// The directory of the static files in the release.
    pub directory: String,
    /// Their paths below it.
    pub files: Vec<String>,
}

/// What compressed copies and source maps add to a name.
const ADDED: [&str; 4] = [".gz", ".br", ".zst", ".map"];

/// The lengths of what passes for a digest: Vite and webpack take 8 characters, Django 12.
const DIGEST: std::ops::RangeInclusive<usize> = 8..=64;

/// Whether a file's name holds a digest of its contents, by its looks.
pub fn is_hashed(path: &str) -> bool {
    let mut name = path.rsplit('/').next().unwrap_or(path);
    while let Some(rest) = ADDED.iter().find_map(|added| name.strip_suffix(added)) {
        name = rest;
    }
    let Some((stem, extension)) = name.rsplit_once('.') else { return false };
    let mut parts = stem.split('.');
    let first = parts.next().unwrap_or_default();
    !extension.is_empty()
        && (is_digest(first) || ends_with_digest(first) || parts.any(is_or_ends_with_digest))
}

/// A whole name: a word with a number behind it is none.
fn is_digest(name: &str) -> bool {
    name.len() >= 12 && name.bytes().all(|c| c.is_ascii_hexdigit()) && looks_random(name)
}

fn is_or_ends_with_digest(part: &str) -> bool {
    (!part.contains(['-', '_']) && looks_random(part)) || ends_with_digest(part)
}

/// `index-` with a digest behind it.
fn ends_with_digest(part: &str) -> bool {
    part.match_indices(['-', '_']).any(|(at, _)| looks_random(&part[at + 1..]))
}

/// A word has no digits, and begins with its only capital.
fn looks_random(text: &str) -> bool {
    // Digests of Vite may hold these two, and have a length of their own.
    let plain = |c: u8| c.is_ascii_alphanumeric() || (text.len() == 8 && (c == b'-' || c == b'_'));
    let digits = text.bytes().any(|c| c.is_ascii_digit());
    let (lower, upper) =
        (text.bytes().any(|c| c.is_ascii_lowercase()), text.bytes().skip(1).any(|c| c.is_ascii_uppercase()));
    DIGEST.contains(&text.len()) && text.bytes().all(plain) && (digits || (lower && upper))
}

/// The releases whose assets are kept, of those that served `before`, the last one first.
pub fn kept<'a>(
    before: impl IntoIterator<Item = &'a ReleaseId>,
    keep: &KeepAssets,
    now: Timestamp,
) -> Vec<&'a ReleaseId> {
    let mut left = now;
    let mut kept = Vec::new();
    for release in before.into_iter().take(keep.releases) {
        // Users had it until the next one came.
        let age = now.duration_since(left);
        if keep.age.is_some_and(|limit| age > limit.0.try_into().unwrap_or(jiff::SignedDuration::MAX)) {
            break;
        }
        left = release.created_at();
        kept.push(release);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Wait;

    #[test]
    fn names_with_a_digest_are_told_from_those_without() {
        let hashed = [
            "shop/app.3f2c1a9d0c5b.css",
            "shop/app.3f2c1a9d0c5b.css.gz",
            "bundle/assets/index-DiwrgTda.js",
            "bundle/assets/index-B3_x-k2a.js",
            "bundle/assets/index-DiwrgTda.js.map",
            "main.0a1b2c3d.chunk.js",
            "media/3f2c1a9d0c5b.png",
            "chunk-4f3d2e1a.js.map.br",
        ];
        for path in hashed {
            assert!(is_hashed(path), "{path}");
        }
        let plain = [
            "shop/app.css",
            "staticfiles.json",
            "admin/js/vendor/jquery/jquery.min.js",
            "admin/css/responsive_rtl.css",
            "img/icon-addlink.svg",
            "secret-document.pdf",
            "bundle/manifest.json",
            "3f2c1a9d0c5b",
            "docs/invoice2024.pdf",
            "select2-bootstrap-5-theme.css",
            "jquery-3.7.1.min.js",
            "CamelCase-Component.js",
        ];
        for path in plain {
            assert!(!is_hashed(path), "{path}");
        }
    }

    #[test]
    fn releases_are_kept_by_their_number_and_by_how_long_ago_they_served() {
        let ids = ["20261120T100000Z-ccccccc", "20261119T100000Z-bbbbbbb", "20261101T100000Z-aaaaaaa"];
        let before: Vec<ReleaseId> = ids.iter().map(|id| id.parse().unwrap()).collect();
        let now: Timestamp = "2026-11-20T11:00:00Z".parse().unwrap();
        let count = |releases, age: Option<&str>| {
            let keep = KeepAssets { releases, age: age.map(|age| Wait::parse(age).unwrap()) };
            kept(&before, &keep, now).len()
        };
        assert_eq!([count(0, None), count(2, None), count(9, None)], [0, 2, 3]);
        assert_eq!(count(9, Some("1m")), 1, "the last one served until now");
        assert_eq!(count(9, Some("2h")), 2, "the one before served until an hour ago");
        assert_eq!(count(9, Some("2d")), 3, "and the third until yesterday");
    }
}
