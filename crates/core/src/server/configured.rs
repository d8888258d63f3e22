//! The configuration files that uWSGI's command names.

use std::path::Path;

const ENDINGS: [&str; 5] = [".ini", ".xml", ".yaml", ".yml", ".json"];

/// The files of that kind among `words`, also with an option before them in the same word, and
/// without the section that may be named after them.
pub fn configured_by<T: AsRef<str>>(words: &[T]) -> impl Iterator<Item = &str> {
    (0..words.len()).filter_map(|index| at(words, index)).map(|(_, file)| file)
}

/// `words` with each of these files where it lies for somebody in `app`: a master that is reloaded reads it
/// again, from the directory in which it was started.
pub fn through(words: &[String], app: &Path) -> Vec<String> {
    let placed = |index: usize, word: &String| match at(words, index) {
        Some((before, _)) => format!("{}{}", &word[..before], app.join(&word[before..]).display()),
        None => word.clone(),
    };
    words.iter().enumerate().map(|(index, word)| placed(index, word)).collect()
}

/// Where the file in the word at `index` begins, and the file. One that is only watched is none.
fn at<T: AsRef<str>>(words: &[T], index: usize) -> Option<(usize, &str)> {
    let watches = |word: &str| word.starts_with("--touch-") || word.starts_with("--fs-");
    let word = words[index].as_ref();
    let before = if word.starts_with('-') { word.find('=')? + 1 } else { 0 };
    let file = word[before..].split(':').next()?;
    let is_watched = watches(word) || index > 0 && before == 0 && watches(words[index - 1].as_ref());
    let is_one = ENDINGS.iter().any(|ending| file.ends_with(ending)) && !is_watched;
    is_one.then_some((before, file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_found_wherever_the_master_reads_it_again() {
        let moved = |text: &str| {
            let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
            through(&words, Path::new("/run/web.release")).join(" ")
        };
        assert_eq!(moved("uwsgi --master conf/web.ini"), "uwsgi --master /run/web.release/conf/web.ini");
        assert_eq!(moved("uwsgi --ini=web.ini:live"), "uwsgi --ini=/run/web.release/web.ini:live");
        assert_eq!(moved("uwsgi --yaml /etc/web.yml"), "uwsgi --yaml /etc/web.yml");
        assert_eq!(moved("uwsgi --touch-reload web.ini -s x"), "uwsgi --touch-reload web.ini -s x");
    }
}
