//! Files, directories and links in memory.

use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path, PathBuf};

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// A file: what it holds, and its mode.
    File(Vec<u8>, u32),
    /// A directory.
    Directory,
    /// A symlink.
    Link(PathBuf),
}

/// All nodes by their real path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tree {
    nodes: BTreeMap<PathBuf, Node>,
}

impl Default for Tree {
    fn default() -> Self {
        Self { nodes: BTreeMap::from([(PathBuf::from("/"), Node::Directory)]) }
    }
}

/// More links than this are a loop.
const HOPS: usize = 40;

impl Tree {
    /// `path` with every link on its way followed; with `last` also one that stands at its end.
    fn follow(&self, path: &Path, last: bool, hops: usize) -> io::Result<PathBuf> {
        if hops > HOPS {
            return Err(io::Error::other("too many levels of symbolic links"));
        }
        let mut at = PathBuf::new();
        let mut rest = path.components();
        while let Some(component) = rest.next() {
            match component {
                Component::ParentDir => drop(at.pop()),
                Component::CurDir => {}
                other => at.push(other),
            }
            let ended = rest.as_path().as_os_str().is_empty();
            if (last || !ended)
                && let Some(Node::Link(target)) = self.nodes.get(&at)
            {
                at.pop();
                let on = at.join(target);
                let on = if ended { on } else { on.join(rest.as_path()) };
                return self.follow(&on, last, hops + 1);
            }
        }
        Ok(at)
    }

    /// The real path of what stands at `path`, a link at its end not followed.
    pub(crate) fn place(&self, path: &Path) -> io::Result<PathBuf> {
        self.follow(path, false, 0)
    }

    /// What stands at `path` itself.
    pub(crate) fn at(&self, path: &Path) -> Option<&Node> {
        self.nodes.get(&self.place(path).ok()?)
    }

    /// `path` with every link followed, if something stands there.
    pub(crate) fn resolve(&self, path: &Path) -> Option<PathBuf> {
        self.follow(path, true, 0).ok().filter(|path| self.nodes.contains_key(path))
    }

    /// What `path` leads to.
    pub(crate) fn behind(&self, path: &Path) -> Option<&Node> {
        self.nodes.get(&self.resolve(path)?)
    }

    pub(crate) fn make_dir(&mut self, path: &Path) -> io::Result<()> {
        let real = self.follow(path, true, 0)?;
        for directory in real.ancestors().collect::<Vec<_>>().into_iter().rev() {
            match self.nodes.get(directory) {
                None => drop(self.nodes.insert(directory.to_owned(), Node::Directory)),
                Some(Node::Directory) => {}
                Some(_) => return Err(io::ErrorKind::NotADirectory.into()),
            }
        }
        Ok(())
    }

    /// Puts a file or link at `path`, over another file or link if need be.
    pub(crate) fn put(&mut self, path: &Path, node: Node) -> io::Result<()> {
        self.make_dir(path.parent().unwrap_or(path))?;
        let place = self.place(path)?;
        if self.nodes.get(&place) == Some(&Node::Directory) {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        self.nodes.insert(place, node);
        Ok(())
    }

    /// The names in the directory behind `path`, sorted.
    pub(crate) fn names(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        let Some(real) = self.resolve(path) else { return Ok(Vec::new()) };
        if self.nodes[&real] != Node::Directory {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        let children = self.nodes.keys().filter(|path| path.parent() == Some(&real));
        Ok(children.filter_map(|path| path.file_name().map(PathBuf::from)).collect())
    }

    pub(crate) fn remove(&mut self, path: &Path) -> io::Result<()> {
        let place = self.place(path)?;
        self.nodes.retain(|path, _| !path.starts_with(&place));
        Ok(())
    }

    /// Everything at and below `path`, by its path relative to it.
    pub(crate) fn below(&self, path: &Path) -> io::Result<Vec<(PathBuf, Node)>> {
        let place = self.place(path)?;
        let below = self.nodes.iter().filter_map(|(path, node)| {
            path.strip_prefix(&place).ok().map(|path| (path.to_owned(), node.clone()))
        });
        Ok(below.collect())
    }

    /// Puts what [`Tree::below`] gave at `path`, whose directory must exist.
    pub(crate) fn plant(&mut self, path: &Path, below: Vec<(PathBuf, Node)>) -> io::Result<()> {
        let place = self.place(path)?;
        if place.parent().and_then(|parent| self.nodes.get(parent)) != Some(&Node::Directory) {
            return Err(io::ErrorKind::NotFound.into());
        }
        for (relative, node) in below {
            let at = if relative.as_os_str().is_empty() { place.clone() } else { place.join(relative) };
            self.nodes.insert(at, node);
        }
        Ok(())
    }

    pub(crate) fn nodes(&self) -> &BTreeMap<PathBuf, Node> {
        &self.nodes
    }
}
