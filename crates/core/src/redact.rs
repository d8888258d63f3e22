//! Takes secret values out of what commands print.

use crate::command::{Secret, Variables};

/// Shorter values are not masked: replacing them would eat ordinary words.
const MINIMUM_LENGTH: usize = 6;

/// Masks known secret values.
#[derive(Clone, Debug, Default)]
pub struct Redactor {
    secrets: Vec<Secret>,
}

impl Redactor {
    /// Masks the values of all `variables` whose names speak of a secret.
    pub fn new(variables: &Variables) -> Self {
        let mut secrets: Vec<Secret> = variables
            .iter()
            .filter(|(name, value)| names_a_secret(name) && value.reveal().len() >= MINIMUM_LENGTH)
            .map(|(_, value)| value.clone())
            .collect();
        // The longest first, so that a secret that holds another is masked whole.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.reveal().len()));
        Self { secrets }
    }

    /// `text` with every secret value replaced by `[redacted]`.
    pub fn redact(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret.reveal(), "[redacted]"))
    }
}

fn names_a_secret(name: &str) -> bool {
    const WORDS: [&str; 10] = [
        "SECRET",
        "PASS",
        "TOKEN",
        "KEY",
        "CREDENTIAL",
        "DSN",
        "DATABASE_URL",
        "BROKER_URL",
        "REDIS_URL",
        "PRIVATE",
    ];
    let name = name.to_uppercase();
    WORDS.iter().any(|word| name.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_secret_values_and_leaves_ordinary_ones() {
        let variables = [
            ("SECRET_KEY", "abc123xyz"),
            ("DB_PASSWORD", "abc123"),
            ("API_TOKEN", "short"),
            ("HOST", "localhost"),
        ]
        .map(|(name, value)| (name.to_owned(), Secret::new(value)));
        let redactor = Redactor::new(&variables.into());
        assert_eq!(
            redactor.redact("abc123xyz at localhost, abc123, short"),
            "[redacted] at localhost, [redacted], short"
        );
    }
}
