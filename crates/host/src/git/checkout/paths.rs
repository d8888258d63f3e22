//! Very many paths, in little memory.

use std::ffi::OsStr;
use std::hash::{BuildHasher, RandomState};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use hashbrown::HashTable;

/// Paths in one piece of memory, by number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Paths {
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl Paths {
    pub(super) fn push(&mut self, path: &Path) {
        self.text.extend_from_slice(path.as_os_str().as_bytes());
        self.ends.push(self.text.len());
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The path with this number.
    pub(super) fn at(&self, number: usize) -> &Path {
        let start = if number == 0 { 0 } else { self.ends[number - 1] };
        Path::new(OsStr::from_bytes(&self.text[start..self.ends[number]]))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Path> + Clone {
        (0..self.len()).map(|number| self.at(number))
    }

    /// Leaves those that `keeps` wants.
    pub(super) fn retain(&mut self, mut keeps: impl FnMut(&Path) -> bool) {
        *self = self.iter().filter(|path| keeps(path)).collect();
    }
}

impl<'a> FromIterator<&'a Path> for Paths {
    fn from_iter<I: IntoIterator<Item = &'a Path>>(all: I) -> Self {
        let mut paths = Self::default();
        all.into_iter().for_each(|path| paths.push(path));
        paths
    }
}

/// The number of each path; of paths themselves it holds no copy.
#[derive(Debug)]
pub(super) struct Numbers<'a> {
    paths: &'a Paths,
    table: HashTable<usize>,
    hasher: RandomState,
}

impl<'a> Numbers<'a> {
    pub(super) fn of(paths: &'a Paths) -> Self {
        let hasher = RandomState::new();
        let hash = |number: &usize| hasher.hash_one(bytes(paths.at(*number)));
        let mut table = HashTable::with_capacity(paths.len());
        for number in 0..paths.len() {
            table.insert_unique(hash(&number), number, hash);
        }
        Self { paths, table, hasher }
    }

    /// The number of `path`, if it is there.
    pub(super) fn get(&self, path: &Path) -> Option<usize> {
        let same = |number: &usize| bytes(self.paths.at(*number)) == bytes(path);
        self.table.find(self.hasher.hash_one(bytes(path)), same).copied()
    }
}

/// To hash or compare paths as such would read each of their parts.
fn bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_has_its_number() {
        let odd = Path::new(OsStr::from_bytes(b"caf\xe9"));
        let mut paths: Paths = ["", "a", "a/b", "c"].into_iter().map(Path::new).chain([odd]).collect();
        paths.retain(|path| path != Path::new("a"));
        let numbers = Numbers::of(&paths);
        for (number, path) in paths.iter().enumerate() {
            assert_eq!(numbers.get(path), Some(number), "{}", path.display());
        }
        assert_eq!((paths.len(), paths.at(3)), (4, odd));
        assert_eq!([numbers.get(Path::new("a")), numbers.get(Path::new("ab"))], [None; 2]);
    }
}
