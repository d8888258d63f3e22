//! Cuts what a program prints into lines.

/// How much of a line is kept.
const LONGEST: usize = 4096;

/// The line that is being read.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    line: Vec<u8>,
    /// The last byte was a `\r`: a `\n` right after it ends no second line.
    returned: bool,
}

impl Lines {
    /// Takes `bytes` in and gives each line that they end.
    pub(crate) fn push(&mut self, bytes: &[u8], line: &mut dyn FnMut(&str)) {
        for &byte in bytes {
            match byte {
                b'\n' if self.returned => {}
                b'\n' => self.give(line),
                // A progress bar often begins with a return, which ends nothing.
                b'\r' if self.line.is_empty() => {}
                b'\r' => self.give(line),
                _ if self.line.len() < LONGEST => self.line.push(byte),
                _ => {}
            }
            self.returned = byte == b'\r';
        }
    }

    /// Gives what was begun and never ended.
    pub(crate) fn finish(&mut self, line: &mut dyn FnMut(&str)) {
        if !self.line.is_empty() {
            self.give(line);
        }
    }

    fn give(&mut self, line: &mut dyn FnMut(&str)) {
        line(&String::from_utf8_lossy(&self.line));
        self.line.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(pieces: &[&[u8]]) -> Vec<String> {
        let mut found = Vec::new();
        let mut lines = Lines::default();
        for piece in pieces {
            lines.push(piece, &mut |line| found.push(line.to_owned()));
        }
        lines.finish(&mut |line| found.push(line.to_owned()));
        found
    }

    #[test]
    fn lines_end_with_a_newline_a_return_or_the_output() {
        assert_eq!(lines(&[b"one\n\ntwo\r\nthree"]), ["one", "", "two", "three"]);
        assert_eq!(lines(&[b"\r 10%\r 90%\r100%\n"]), [" 10%", " 90%", "100%"]);
        assert!(lines(&[]).is_empty());
    }

    #[test]
    fn a_line_may_come_in_pieces() {
        assert_eq!(lines(&[b"o", b"ne\r", b"\ntw", b"o\n"]), ["one", "two"]);
    }

    #[test]
    fn a_line_is_cut_and_the_next_one_is_whole() {
        let long = [vec![b'x'; 3 * LONGEST], b"\nnext\n".to_vec()].concat();
        assert_eq!(lines(&[&long]), ["x".repeat(LONGEST), "next".to_owned()]);
    }

    #[test]
    fn what_is_no_utf8_is_shown_as_well_as_it_can_be() {
        assert_eq!(lines(&[b"caf\xe9\n"]), ["caf\u{fffd}"]);
    }
}
