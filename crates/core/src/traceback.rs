//! Shortens Python tracebacks: people look for what was raised, and for their own code.

/// `lines` without the frames of libraries and of the interpreter. When a gunicorn worker fails
/// to boot, the reason is followed by so many of these that it would be out of sight.
pub fn own_frames(lines: &[String]) -> impl Iterator<Item = &String> {
    let mut foreign = false;
    lines.iter().filter(move |line| {
        if line.starts_with("  File \"") {
            foreign = is_foreign(line);
        } else if !line.starts_with("    ") {
            foreign = false;
        }
        !foreign
    })
}

fn is_foreign(frame: &str) -> bool {
    ["/site-packages/", "/dist-packages/", "/lib/python", "\"<frozen "]
        .iter()
        .any(|place| frame.contains(place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_app_and_what_was_raised_stay() {
        let text = "[ERROR] Exception in worker process
Traceback (most recent call last):
  File \"/srv/shop/cache/venv/1/lib/python3.11/site-packages/gunicorn/arbiter.py\", line 1, in spawn
    worker.init_process()
  File \"<frozen importlib._bootstrap>\", line 1176, in _find_and_load
  File \"/srv/shop/releases/1/shop/wsgi.py\", line 3, in <module>
    import shop.missing
    ^^^^^^^^^^^^^^^^^^^
  File \"/usr/lib/python3.11/importlib/__init__.py\", line 126, in import_module
    return _bootstrap._gcd_import(name)
           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
ModuleNotFoundError: No module named 'shop.missing'
    an indented line of something else";
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let own: Vec<&str> = own_frames(&lines).map(String::as_str).collect();
        let kept = [0, 1, 5, 6, 7, 11, 12].map(|index| lines[index].as_str());
        assert_eq!(own, kept);
    }
}
