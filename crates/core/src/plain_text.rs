//! Takes colours and other control codes out of what commands print: it goes to logs and hooks too.

/// `line` without escape sequences and control characters.
pub fn plain(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        match c {
            '\x1b' => skip_sequence(&mut rest),
            '\t' => plain.push(c),
            c if c.is_control() => {}
            c => plain.push(c),
        }
    }
    plain
}

fn skip_sequence(rest: &mut std::str::Chars<'_>) {
    match rest.next() {
        // CSI: parameters, then one letter or sign that ends it.
        Some('[') => drop(rest.find(|c| ('@'..='~').contains(c))),
        // OSC: a text such as a link or a title, ended by BEL or by ESC and a backslash.
        Some(']') => {
            let end = rest.find(|c| matches!(c, '\x07' | '\x1b'));
            if end == Some('\x1b') {
                rest.next();
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_read_stays() {
        assert_eq!(plain("\x1b[31mred\x1b[0m\tand \x1b[38;5;246m╭─\x1b[K"), "red\tand ╭─");
        assert_eq!(plain("\x1b]8;;https://example.org\x1b\\link\x1b]8;;\x07 \x07done"), "link done");
        assert_eq!(plain("cut off \x1b[3"), "cut off ");
    }
}
