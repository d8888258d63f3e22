//! On which line of a file a key stands.

use marked_yaml::types::Node;

/// The line of the key at `path` (mapping keys and list indices), or of its nearest parent.
pub(super) fn line_of(text: &str, path: &[String]) -> Option<usize> {
    let mut node = marked_yaml::parse_yaml(0, text).ok()?;
    let mut line = None;
    for part in path {
        let found = match &node {
            Node::Mapping(mapping) => mapping
                .iter()
                .find(|(key, _)| key.as_str() == part)
                .map(|(key, value)| (key.span().start().map(|mark| mark.line()), value.clone())),
            Node::Sequence(items) => part
                .parse::<usize>()
                .ok()
                .and_then(|index| items.get(index))
                .map(|value| (value.span().start().map(|mark| mark.line()), value.clone())),
            Node::Scalar(_) => None,
        };
        let Some((at, child)) = found else { break };
        line = at.or(line);
        node = child;
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_line_of_a_nested_key_or_its_nearest_parent() {
        let text = "app: shop\nservices:\n  web:\n    command: x\nlinked_dirs:\n  - a\n  - b\n";
        let at = |path: &[&str]| line_of(text, &path.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>());
        assert_eq!(at(&["services", "web", "command"]), Some(4));
        assert_eq!(at(&["services", "web", "health"]), Some(3));
        assert_eq!(at(&["linked_dirs", "1"]), Some(7));
        assert_eq!(at(&["keep"]), None);
    }
}
