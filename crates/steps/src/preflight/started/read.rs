//! Reads units of systemd and programs of supervisord, as far as it takes to judge them.

use super::Starter;

/// A unit, by its own text and those of its drop-ins, in their order.
pub(super) fn unit(file: &str, texts: &[String]) -> Starter {
    let mut starter = Starter { at: file.to_owned(), ..Starter::default() };
    for (_, key, value) in texts.iter().flat_map(|text| settings(text, &['#', ';'])) {
        match key.as_str() {
            "ExecStart" => starter.commands.set(value),
            "ExecReload" => starter.reloads.set(value),
            "WorkingDirectory" => starter.directory = Some(value),
            "Type" => starter.ends = value == "oneshot",
            "Environment" | "EnvironmentFile" | "ExecStartPre" | "ExecStop" => starter.others.push(value),
            _ => {}
        }
    }
    starter
}

/// The programs of a file that supervisord starts by itself.
pub(super) fn programs(file: &str, text: &str) -> Vec<Starter> {
    let mut starters: Vec<(String, Starter)> = Vec::new();
    let mut switched_off = Vec::new();
    for (section, key, value) in settings(text, &[';', '#']) {
        let Some(name) = section.strip_prefix("program:").or(section.strip_prefix("fcgi-program:")) else {
            continue;
        };
        if starters.last().is_none_or(|(last, _)| last != name) {
            let at = format!("{file}, program {name}");
            starters.push((name.to_owned(), Starter { at, ..Starter::default() }));
        }
        let Some((_, starter)) = starters.last_mut() else { continue };
        // supervisord's own comments end a line, too.
        let value = value.split(" ;").next().unwrap_or_default().trim_end().to_owned();
        match key.as_str() {
            "command" => starter.commands.set(value),
            "directory" => starter.directory = Some(value),
            "environment" => starter.others.push(value),
            "autostart" if ["false", "off", "no", "0"].contains(&value.as_str()) => {
                switched_off.push(name.to_owned());
            }
            _ => {}
        }
    }
    starters
        .into_iter()
        .filter(|(name, _)| !switched_off.contains(name))
        .map(|(_, starter)| starter)
        .collect()
}

/// Section, key and value of each line, without comments; a line that ends in `\` goes on.
fn settings(text: &str, comments: &[char]) -> Vec<(String, String, String)> {
    let (mut section, mut begun, mut found) = (String::new(), String::new(), Vec::new());
    for line in text.lines().map(str::trim) {
        if line.starts_with(comments) {
            continue;
        }
        if let Some(part) = line.strip_suffix('\\') {
            begun += part;
            begun.push(' ');
            continue;
        }
        let whole = std::mem::take(&mut begun) + line;
        if let Some(name) = whole.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name.to_owned();
        } else if let Some((key, value)) = whole.split_once('=') {
            found.push((section.clone(), key.trim().to_owned(), value.trim().to_owned()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_read_with_its_drop_ins() {
        let own = "# a unit\n[Unit]\nDescription=shop\n[Service]\nType=notify\nWorkingDirectory=/srv/shop/current\n\
                   ExecStart=/srv/shop/current/venv/bin/gunicorn \\\n  --preload \\\n  shop.wsgi\n\
                   ExecReload=/bin/kill -s HUP $MAINPID\n";
        let starter = unit("shop.service", &[own.to_owned()]);
        assert_eq!(starter.commands.0, ["/srv/shop/current/venv/bin/gunicorn  --preload  shop.wsgi"]);
        assert_eq!(starter.directory.as_deref(), Some("/srv/shop/current"));
        assert_eq!(starter.reloads.0, ["/bin/kill -s HUP $MAINPID"]);
        // An empty value takes back what was said before.
        let other = "[Service]\nExecStart=\nExecStart=/usr/bin/true\nType=oneshot\n".to_owned();
        let starter = unit("shop.service", &[own.to_owned(), other]);
        assert_eq!((starter.commands.0, starter.ends), (vec!["/usr/bin/true".to_owned()], true));
    }

    #[test]
    fn the_programs_of_a_file_are_read_but_not_those_that_are_off() {
        let text = "; supervisord\n[supervisord]\ncommand=no\n[program:web]\ncommand=/srv/shop/run web ; why\n\
                    directory = /srv/shop/current\n[program:old]\ncommand=old\nautostart=false\n";
        let found = programs("/etc/supervisor/conf.d/shop.conf", text);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].at, "/etc/supervisor/conf.d/shop.conf, program web");
        assert_eq!(found[0].commands.0, ["/srv/shop/run web"]);
        assert_eq!(found[0].directory.as_deref(), Some("/srv/shop/current"));
    }
}
