//! Reads the configuration of nginx, or of another proxy, as far as it takes to judge it.

use std::path::{Path, PathBuf};

/// A directive, or the head of a block, and where it stands.
#[derive(Debug)]
pub(super) struct Statement {
    file: PathBuf,
    line: usize,
    /// Its words, as they stand there.
    pub(super) text: String,
    /// The block that it stands in, by number within its file; 0 is outside of all.
    block: usize,
    /// Whether that block is an upstream.
    pub(super) in_upstream: bool,
}

impl Statement {
    /// Whether it names `path`, or something below it.
    pub(super) fn names(&self, path: &Path) -> bool {
        let path = path.display().to_string();
        // `/srv/shop/current` is no part of `/srv/shop/current-old`.
        let goes_on = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        self.text.match_indices(&path).any(|(at, _)| !self.text[at + path.len()..].starts_with(goes_on))
    }

    /// Whether both stand in the same block.
    pub(super) fn beside(&self, other: &Statement) -> bool {
        self.file == other.file && self.block == other.block
    }

    /// `file:line`.
    pub(super) fn at(&self) -> String {
        format!("{}:{}", self.file.display(), self.line)
    }

    /// Its words without quotes.
    pub(super) fn words(&self) -> Vec<&str> {
        self.text.split_whitespace().map(|word| word.trim_matches(['"', '\''])).collect()
    }
}

/// The statements of one file: of nginx, or of another proxy, where each line is one.
pub(super) fn read(file: &Path, text: &str) -> Vec<Statement> {
    let mut reader = Reader { line: 1, ..Reader::default() };
    for c in text.chars() {
        reader.take(file, c);
    }
    if reader.is_nginx { reader.statements } else { lines(file, text) }
}

fn lines(file: &Path, text: &str) -> Vec<Statement> {
    let statement = |(at, line): (usize, &str)| {
        let text = line.trim().to_owned();
        Statement { file: file.to_owned(), line: at + 1, text, block: 0, in_upstream: false }
    };
    let statements = text.lines().enumerate().map(statement);
    statements.filter(|statement| !statement.text.is_empty() && !statement.text.starts_with('#')).collect()
}

#[derive(Default)]
struct Reader {
    statements: Vec<Statement>,
    words: String,
    line: usize,
    /// The blocks that are open: their numbers, and whether they are upstreams.
    open: Vec<(usize, bool)>,
    blocks: usize,
    quote: Option<char>,
    in_comment: bool,
    /// Whether a directive ends as only nginx's do.
    is_nginx: bool,
}

impl Reader {
    fn take(&mut self, file: &Path, c: char) {
        if self.in_comment {
            self.in_comment = c != '\n';
        } else if let Some(quote) = self.quote {
            self.quote = (c != quote).then_some(quote);
            self.words.push(c);
        } else if matches!(c, ';' | '{' | '}') {
            self.end(file, c);
        } else if c == '#' && self.words.chars().next_back().is_none_or(char::is_whitespace) {
            self.in_comment = true;
        } else {
            self.quote = matches!(c, '"' | '\'').then_some(c);
            self.words.push(c);
        }
        self.line += usize::from(c == '\n');
    }

    fn end(&mut self, file: &Path, c: char) {
        self.is_nginx |= c == ';';
        let text = std::mem::take(&mut self.words).trim().to_owned();
        let (block, in_upstream) = self.open.last().copied().unwrap_or_default();
        if c == '{' {
            self.blocks += 1;
            self.open.push((self.blocks, text.starts_with("upstream")));
        } else if c == '}' {
            self.open.pop();
        }
        if !text.is_empty() {
            self.statements.push(Statement {
                file: file.to_owned(),
                line: self.line,
                text,
                block,
                in_upstream,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_know_their_line_and_their_block() {
        let text = "# server /srv/shop/current;\nupstream web {\n  server\n    unix:/srv/shop/current/run/web.sock;\n  \
                    keepalive 8; # why\n}\nserver { add_header A \"x;{#\"; root /srv/shop/current-old; }\n";
        let statements = read(Path::new("a.conf"), text);
        let seen: Vec<_> = statements
            .iter()
            .map(|one| (one.line, one.words().join(" "), one.block, one.in_upstream))
            .collect();
        assert_eq!(
            seen,
            [
                (2, "upstream web".to_owned(), 0, false),
                (4, "server unix:/srv/shop/current/run/web.sock".to_owned(), 1, true),
                (5, "keepalive 8".to_owned(), 1, true),
                (7, "server".to_owned(), 0, false),
                (7, "add_header A x;{#".to_owned(), 2, false),
                (7, "root /srv/shop/current-old".to_owned(), 2, false),
            ]
        );
        let current = Path::new("/srv/shop/current");
        assert_eq!(
            statements.iter().map(|one| one.names(current)).collect::<Vec<_>>(),
            [false, true, false, false, false, false]
        );
    }
}
