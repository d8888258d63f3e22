//! Reads `.env` files: `NAME=value` lines, as shells and other tools write them.

use crate::command::{Secret, Variables};

/// The variables of a `.env` file.
///
/// `export` before a name, `#` comments, blank lines, single and double quotes are understood;
/// nothing is expanded. What is no such line is given back with its number (from 1).
pub fn parse(text: &str) -> Result<Variables, Vec<usize>> {
    let (variables, wrong) = read(text);
    if wrong.is_empty() { Ok(variables) } else { Err(wrong) }
}

/// The variables of the lines that can be read, and the numbers of the other lines.
pub fn read(text: &str) -> (Variables, Vec<usize>) {
    let mut variables = Variables::new();
    let mut wrong = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match assignment(line) {
            Some((name, value)) => {
                variables.insert(name.to_owned(), Secret::new(value));
            }
            None => wrong.push(index + 1),
        }
    }
    (variables, wrong)
}

fn assignment(line: &str) -> Option<(&str, String)> {
    let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
    let (name, value) = line.split_once('=')?;
    // No environment can hold a NUL.
    (is_name(name) && !value.contains('\0')).then(|| (name, unquote(value.trim())))
}

/// Whether `name` can be the name of an environment variable.
pub fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|c| c.is_ascii_alphabetic() || c == b'_')
        && bytes.all(|c| c.is_ascii_alphanumeric() || c == b'_')
}

fn unquote(value: &str) -> String {
    for quote in ['"', '\''] {
        if let Some(rest) = value.strip_prefix(quote)
            && let Some(end) = rest.find(quote)
        {
            return rest[..end].to_owned();
        }
    }
    // An unquoted value ends where a comment begins.
    value.split(" #").next().unwrap_or(value).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_shells_and_tools_write() {
        let text = "# a comment\n\nexport A=1\nB = 2\nB=two # why\nC='a # b'\nD=\"x=y\"\nE=\n";
        assert_eq!(parse(text).unwrap_err(), [4]);
        assert_eq!(parse("A=1\nB=x\0y\n").unwrap_err(), [2]);
        let (readable, wrong) = read(text);
        assert_eq!((readable.len(), wrong), (5, vec![4]));
        let variables = parse(&text.replace("B = 2\n", "")).unwrap();
        let values: Vec<_> =
            variables.iter().map(|(name, value)| format!("{name}={}", value.reveal())).collect();
        assert_eq!(values, ["A=1", "B=two", "C=a # b", "D=x=y", "E="]);
    }
}
