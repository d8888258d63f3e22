//! What a manager that others use too calls our things: no two roots share a name.

use std::path::Path;

use release_core::cache_key::CacheKey;

const DIGITS: usize = 6;

/// The name of a root, for people: the last part of its path, with letters, digits, `-` and `_`.
pub(crate) fn of_root(root: &Path) -> String {
    let name = root.file_name().unwrap_or_default().to_string_lossy();
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '_' };
    let label: String = name.chars().map(plain).take(32).collect();
    if label.is_empty() { "app".to_owned() } else { label }
}

/// A few digits that differ where `text` does.
pub(crate) fn mark(text: &str) -> String {
    CacheKey::new("mark", 1).with("text", text).finish()[..DIGITS].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_gives_a_name_that_every_manager_can_hold() {
        assert_eq!(of_root(Path::new("/srv/my-shop_2")), "my-shop_2");
        assert_eq!(of_root(Path::new("/srv/my shop.example")), "my_shop_example");
        assert_eq!(of_root(Path::new("/")), "app");
        assert_eq!(mark("a").len(), 6);
        assert_ne!(mark("a"), mark("b"));
    }
}
