//! Where a repository is: a path on this machine, or a server.

/// Whether it is a path on this machine.
pub(super) fn is_path(url: &str) -> bool {
    !url.contains("://") && !is_ssh(url)
}

/// Whether ssh is used to reach it.
pub(super) fn is_ssh(url: &str) -> bool {
    url.starts_with("ssh://") || (!url.contains("://") && !url.starts_with('/') && url.contains(':'))
}

/// A repository's address without the password that may stand in it.
pub fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    match authority.rsplit_once('@') {
        Some((user, host)) if user.contains(':') || scheme.starts_with("http") => {
            format!("{scheme}://{host}{path}")
        }
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        for (url, expected) in [
            ("https://ana:hunter2@example.org/shop.git", "https://example.org/shop.git"),
            ("https://ghp_token@example.org/shop.git", "https://example.org/shop.git"),
            ("ssh://git@example.org/shop.git", "ssh://git@example.org/shop.git"),
            ("git@example.org:shop.git", "git@example.org:shop.git"),
            ("/srv/git/a@b.git", "/srv/git/a@b.git"),
        ] {
            assert_eq!(without_password(url), expected);
        }
    }
}
