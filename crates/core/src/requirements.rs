//! Reads as much of a requirements file as a cache key needs.

/// The files that `text` includes by `-r` or `-c`, as they stand there. URLs are left out.
pub fn includes(text: &str) -> Vec<&str> {
    lines(text).filter_map(included).collect()
}

fn included(line: &str) -> Option<&str> {
    let rest = ["--requirement", "--constraint"]
        .iter()
        .find_map(|option| line.strip_prefix(option)?.strip_prefix([' ', '\t', '=']))
        .or_else(|| line.strip_prefix("-r"))
        .or_else(|| line.strip_prefix("-c"))?;
    let file = rest.trim().trim_matches(['"', '\'']);
    (!file.is_empty() && !file.contains("://")).then_some(file)
}

/// Whether `text` installs something that lies beside it: the project itself, or an archive.
pub fn is_local(text: &str) -> bool {
    const BEGINNINGS: [&str; 5] = ["-e", "--editable", ".", "/", "file:"];
    lines(text).any(|line| {
        BEGINNINGS.iter().any(|beginning| line.starts_with(beginning)) || line.contains("@ file:")
    })
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    let code = text.lines().map(|line| line.split(" #").next().unwrap_or_default().trim());
    code.filter(|line| !line.starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn includes_are_found_however_they_are_written() {
        let text = "Django==5.2.19\n-r base.txt # all\n  -cpins.txt\n--requirement=a/b.txt\n--constraint \"c d.txt\"\n\
                    # -r no.txt\n-r https://example.org/r.txt\n--require-hashes\nrequests\n";
        assert_eq!(includes(text), ["base.txt", "pins.txt", "a/b.txt", "c d.txt"]);
    }

    #[test]
    fn what_lies_beside_the_file_is_local() {
        for local in ["-e .", "--editable ./lib", "./lib", ".", "/opt/a.whl", "shop @ file:///opt/shop"] {
            assert!(is_local(local), "{local}");
        }
        for other in
            ["Django", "# -e .", "shop @ https://example.org/shop.whl", "--extra-index-url https://a/"]
        {
            assert!(!is_local(other), "{other}");
        }
    }
}
