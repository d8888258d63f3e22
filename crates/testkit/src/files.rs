//! The fake machine's files.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use release_core::event::Progress;
use release_core::host::{Files, HostResult, Kind, Space};

use crate::fake_host::{FakeHost, io_error, lock};
use crate::tree::{Node, Tree};

/// For tests: what stands there, and putting it there, without leaving an effect.
impl FakeHost {
    /// Puts a file there.
    pub fn put_file(&self, path: impl AsRef<Path>, text: &str) {
        self.put(path.as_ref(), Node::File(text.into(), 0o644));
    }

    /// Puts a symlink there.
    pub fn put_link(&self, link: impl AsRef<Path>, target: impl Into<PathBuf>) {
        self.put(link.as_ref(), Node::Link(target.into()));
    }

    /// Puts an empty directory there.
    pub fn put_dir(&self, path: impl AsRef<Path>) {
        lock(&self.tree).make_dir(path.as_ref()).expect("no file stands on the way");
    }

    fn put(&self, path: &Path, node: Node) {
        lock(&self.tree).put(path, node).expect("no directory stands there, and no file on the way");
    }

    /// What a file holds; links are followed.
    pub fn text(&self, path: impl AsRef<Path>) -> Option<String> {
        match lock(&self.tree).behind(path.as_ref()) {
            Some(Node::File(contents, _)) => Some(String::from_utf8_lossy(contents).into_owned()),
            _ => None,
        }
    }

    /// What stands at a path; links are not followed.
    pub fn node(&self, path: impl AsRef<Path>) -> Option<Node> {
        lock(&self.tree).at(path.as_ref()).cloned()
    }

    /// Whether something stands there; links are not followed.
    pub fn exists(&self, path: impl AsRef<Path>) -> bool {
        self.node(path).is_some()
    }

    /// Every file, directory and link, to compare before and after.
    pub fn all(&self) -> BTreeMap<PathBuf, Node> {
        lock(&self.tree).nodes().clone()
    }

    /// What is free on the disk.
    pub fn set_space(&self, bytes: u64, inodes: u64) {
        lock(&self.disk).space = Space { bytes, inodes };
    }

    /// A directory that this user may not write in.
    pub fn set_unwritable(&self, path: impl Into<PathBuf>) {
        lock(&self.disk).unwritable.insert(path.into());
    }

    fn change(
        &self,
        operation: &'static str,
        path: &Path,
        change: impl FnOnce(&mut Tree) -> io::Result<()>,
    ) -> HostResult<()> {
        self.act(operation, path)?;
        change(&mut lock(&self.tree)).map_err(|source| io_error(operation, path, source))
    }
}

impl Files for FakeHost {
    fn read(&self, path: &Path) -> HostResult<Option<Vec<u8>>> {
        self.ask("read", path)?;
        match lock(&self.tree).behind(path) {
            None => Ok(None),
            Some(Node::File(contents, _)) => Ok(Some(contents.clone())),
            Some(_) => Err(io_error("read", path, io::ErrorKind::IsADirectory.into())),
        }
    }

    fn write(&self, path: &Path, contents: &[u8], mode: u32) -> HostResult<()> {
        self.change("write", path, |tree| tree.put(path, Node::File(contents.to_owned(), mode)))
    }

    fn make_file(&self, path: &Path, contents: &[u8], mode: u32) -> HostResult<()> {
        assert!(self.node(path).is_none(), "{} stands already", path.display());
        self.change("make_file", path, |tree| tree.put(path, Node::File(contents.to_owned(), mode)))
    }

    fn make_dir(&self, path: &Path) -> HostResult<()> {
        self.change("make_dir", path, |tree| tree.make_dir(path))
    }

    fn kind(&self, path: &Path) -> HostResult<Option<Kind>> {
        self.ask("kind", path)?;
        Ok(self.node(path).map(|node| match node {
            Node::File(..) => Kind::File,
            Node::Directory => Kind::Directory,
            Node::Link(_) => Kind::Link,
        }))
    }

    fn read_link(&self, path: &Path) -> HostResult<Option<PathBuf>> {
        self.ask("read_link", path)?;
        Ok(self.node(path).and_then(|node| if let Node::Link(target) = node { Some(target) } else { None }))
    }

    fn resolve(&self, path: &Path) -> HostResult<Option<PathBuf>> {
        self.ask("resolve", path)?;
        Ok(lock(&self.tree).resolve(path))
    }

    fn replace_link(&self, link: &Path, target: &Path) -> HostResult<()> {
        self.change("replace_link", link, |tree| match tree.at(link) {
            None | Some(Node::Link(_)) => tree.put(link, Node::Link(target.to_owned())),
            Some(_) => Err(io::ErrorKind::AlreadyExists.into()),
        })
    }

    fn list(&self, directory: &Path) -> HostResult<Vec<PathBuf>> {
        self.ask("list", directory)?;
        let names = lock(&self.tree).names(directory);
        let names = names.map_err(|source| io_error("list", directory, source))?;
        Ok(names.into_iter().map(|name| directory.join(name)).collect())
    }

    fn rename(&self, from: &Path, to: &Path) -> HostResult<()> {
        self.change("rename", from, |tree| {
            let moved = tree.below(from)?;
            if moved.is_empty() {
                return Err(io::ErrorKind::NotFound.into());
            }
            if !tree.names(to).unwrap_or_default().is_empty() {
                return Err(io::ErrorKind::DirectoryNotEmpty.into());
            }
            tree.make_dir(to.parent().unwrap_or(to))?;
            tree.remove(to)?;
            tree.remove(from)?;
            tree.plant(to, moved)
        })
    }

    fn remove(&self, path: &Path) -> HostResult<()> {
        self.change("remove", path, |tree| tree.remove(path))
    }

    fn copy_tree(&self, from: &Path, to: &Path, progress: &dyn Fn(Progress)) -> HostResult<()> {
        let mut files = 0;
        self.change("copy_tree", to, |tree| {
            let copied = tree.below(from)?;
            files = copied.len() as u64;
            match (copied.is_empty(), tree.at(to)) {
                (true, _) => Err(io::ErrorKind::NotFound.into()),
                (false, Some(_)) => Err(io::ErrorKind::AlreadyExists.into()),
                (false, None) => {
                    tree.make_dir(to.parent().unwrap_or(to))?;
                    tree.plant(to, copied)
                }
            }
        })?;
        progress(Progress { done: files, total: files, unit: "files" });
        Ok(())
    }

    fn link_file(&self, from: &Path, to: &Path) -> HostResult<()> {
        let node = self.node(from);
        self.change("link_file", to, |tree| match (node, tree.at(to)) {
            (Some(node @ Node::File(..)), None) => {
                tree.make_dir(to.parent().unwrap_or(to))?;
                tree.put(to, node)
            }
            (Some(_), Some(_)) => Err(io::ErrorKind::AlreadyExists.into()),
            _ => Err(io::ErrorKind::NotFound.into()),
        })
    }

    fn sync(&self, path: &Path) -> HostResult<()> {
        self.act("sync", path)
    }

    fn size(&self, path: &Path) -> HostResult<u64> {
        self.ask("size", path)?;
        let below = lock(&self.tree).below(path).map_err(|source| io_error("measure", path, source))?;
        let sizes = below.iter().map(|(_, node)| match node {
            Node::File(contents, _) => contents.len() as u64,
            Node::Directory | Node::Link(_) => 0,
        });
        Ok(sizes.sum())
    }

    fn space(&self, path: &Path) -> HostResult<Space> {
        self.ask("space", path)?;
        Ok(lock(&self.disk).space)
    }

    fn is_writable(&self, path: &Path) -> HostResult<bool> {
        self.ask("is_writable", path)?;
        Ok(!lock(&self.disk).unwritable.iter().any(|directory| path.starts_with(directory)))
    }
}
