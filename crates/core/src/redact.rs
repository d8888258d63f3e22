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
        let named =
            variables.iter().filter(|(name, _)| names_a_secret(name)).map(|(_, value)| value.reveal());
        let mut secrets: Vec<Secret> =
            named.flat_map(parts).filter(|part| part.len() >= MINIMUM_LENGTH).map(Secret::new).collect();
        // The longest first, so that a secret that holds another is masked whole.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.reveal().len()));
        Self { secrets }
    }

    /// `text` with every secret value replaced by `[redacted]`.
    pub fn redact(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret.reveal(), "[redacted]"))
    }
}

/// What of a value may be printed by itself: it is printed line by line, and a driver names the
/// password of its URL alone.
fn parts(value: &str) -> impl Iterator<Item = &str> {
    let authority = value.split_once("://").map(|(_, rest)| rest.split(['/', '?']).next().unwrap_or(rest));
    let user = authority.and_then(|authority| authority.rsplit_once('@')).map(|(user, _)| user);
    let password = user.and_then(|user| user.split_once(':')).map(|(_, password)| password);
    value.lines().map(str::trim).chain(password)
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

    #[test]
    fn masks_each_line_of_a_key_and_the_password_of_a_url() {
        let variables = [
            ("PRIVATE_KEY", "-----BEGIN-----\n  MIIEvQIBADAN\nab==\n-----END-----\n"),
            ("DATABASE_URL", "postgres://shop:hunter22@db.example.org/shop?x=a@b"),
        ]
        .map(|(name, value)| (name.to_owned(), Secret::new(value)));
        let redactor = Redactor::new(&variables.into());
        assert_eq!(
            redactor.redact("key MIIEvQIBADAN, user shop: hunter22 is wrong at db.example.org"),
            "key [redacted], user shop: [redacted] is wrong at db.example.org"
        );
        assert_eq!(redactor.redact("postgres://shop:hunter22@db.example.org/shop?x=a@b"), "[redacted]");
    }
}
