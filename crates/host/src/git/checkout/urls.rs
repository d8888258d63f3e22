//! Where a submodule comes from. Its address was written by whoever may push, so it may only name
//! servers, and this machine only where the app's own repository is on this machine too.

/// The address of a submodule whose superproject came from `from`; why not, if it may not be asked.
pub(super) fn resolve(url: &str, from: Option<&str>) -> Result<String, &'static str> {
    if url.starts_with('-') || url.chars().any(char::is_control) {
        return Err("its address is not one");
    }
    if url.starts_with("./") || url.starts_with("../") {
        return relative(
            url,
            from.ok_or("its address is relative, and it is not known to what: fetch again")?,
        );
    }
    match place(url) {
        Place::Server => Ok(url.to_owned()),
        Place::Here if from.is_some_and(|from| place(from) == Place::Here) => Ok(url.to_owned()),
        Place::Here => Err("its address is a path on this machine, and the app's own is not"),
        Place::Nowhere => Err("its address is of no kind that is fetched from: https, ssh, git"),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Server,
    Here,
    /// `ext::sh -c …` and the like.
    Nowhere,
}

fn place(url: &str) -> Place {
    if url.starts_with('/') {
        return Place::Here;
    }
    if let Some((scheme, rest)) = url.split_once("://") {
        return match scheme {
            "file" => Place::Here,
            "https" | "http" | "ssh" | "git" if !rest.starts_with(['-', '/']) && !rest.is_empty() => {
                Place::Server
            }
            _ => Place::Nowhere,
        };
    }
    match url.split_once(':') {
        Some((host, path)) if !path.starts_with(':') && !host.is_empty() && !host.contains('/') => {
            Place::Server
        }
        _ => Place::Nowhere,
    }
}

/// As git does: `..` goes up in the path of the superproject, and never beyond it.
fn relative(url: &str, from: &str) -> Result<String, &'static str> {
    let start = path_start(from);
    let (host, path) = from.split_at(start);
    let mut parts: Vec<&str> = path.trim_end_matches('/').split('/').collect();
    for part in url.split('/') {
        match part {
            "." | "" => {}
            ".." if parts.len() > usize::from(path.starts_with('/')) => _ = parts.pop(),
            ".." => return Err("its address leads out of its server"),
            part => parts.push(part),
        }
    }
    Ok(format!("{host}{}", parts.join("/")))
}

/// Where the path begins in an address.
fn path_start(url: &str) -> usize {
    if let Some(at) = url.find("://") {
        return url[at + 3..].find('/').map_or(url.len(), |slash| at + 3 + slash);
    }
    if place(url) == Place::Server { url.find(':').map_or(0, |colon| colon + 1) } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_address_starts_at_the_superprojects() {
        for (from, url, expected) in [
            ("/srv/git/shop.git", "../theme.git", "/srv/git/theme.git"),
            ("/srv/git/shop.git/", "../theme.git", "/srv/git/theme.git"),
            ("/srv/git/shop.git", "./theme.git", "/srv/git/shop.git/theme.git"),
            ("file:///srv/git/shop", "../../theme", "file:///srv/theme"),
            ("https://example.org/ana/shop.git", "../../bob/theme.git", "https://example.org/bob/theme.git"),
            ("git@example.org:ana/shop.git", "../theme.git", "git@example.org:ana/theme.git"),
            ("git@example.org:shop.git", "../theme.git", "git@example.org:theme.git"),
        ] {
            assert_eq!(resolve(url, Some(from)).unwrap(), expected);
        }
    }

    #[test]
    fn addresses_that_run_something_or_read_this_machine_are_refused() {
        let server = Some("https://example.org/shop.git");
        for url in [
            "ext::sh -c id",
            "-uhttps://x",
            "ssh://-oProxyCommand=id/x",
            "https://",
            "/etc",
            "file:///etc",
            "../../../x",
            "theme",
            "https://a\nb/c",
            "",
            "transport::https://example.org",
        ] {
            assert!(resolve(url, server).is_err(), "{url:?}");
        }
        assert!(resolve("../theme.git", None).is_err());
    }

    #[test]
    fn servers_are_asked_and_paths_only_from_a_path() {
        for url in ["https://example.org/a.git", "ssh://git@example.org/a", "git@example.org:a.git"] {
            assert_eq!(resolve(url, None).unwrap(), url);
        }
        assert_eq!(resolve("/srv/git/a", Some("/srv/git/shop.git")).unwrap(), "/srv/git/a");
        assert_eq!(resolve("file:///srv/a", Some("/srv/git/shop.git")).unwrap(), "file:///srv/a");
    }
}
