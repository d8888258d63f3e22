//! The processes and sockets that belong to a directory.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::process::{Pid, Signal};

/// A process that names a directory in its arguments, its environment or its working directory.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) pid: Pid,
    pub(crate) command: String,
    environment: String,
    directory: String,
}

impl Process {
    fn read(pid: Pid) -> Option<Self> {
        let place = Path::new("/proc").join(pid.as_raw_nonzero().to_string());
        let text = |name: &str| {
            let bytes = fs::read(place.join(name)).ok()?;
            Some(String::from_utf8_lossy(&bytes).replace('\0', " "))
        };
        Some(Self {
            pid,
            command: text("cmdline")?,
            environment: text("environ")?,
            directory: fs::read_link(place.join("cwd")).ok()?.display().to_string(),
        })
    }

    /// Whether it has to do with `name`.
    pub(crate) fn names(&self, name: &str) -> bool {
        [&self.command, &self.environment, &self.directory].iter().any(|text| text.contains(name))
    }

    pub(crate) fn kill(&self) {
        let _ = rustix::process::kill_process(self.pid, Signal::KILL);
    }
}

/// Every process that has to do with `directory`, but ourselves. One that ends meanwhile is none.
pub(crate) fn of(directory: &Path) -> Vec<Process> {
    let name = directory.display().to_string();
    let own = std::process::id().to_string();
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|entry| *entry != own)
        .filter_map(|entry| Process::read(Pid::from_raw(entry.parse().ok()?)?))
        .filter(|process| process.names(&name))
        .collect()
}

/// The unix sockets below `directory` that anybody has open.
pub(crate) fn sockets_below(directory: &Path) -> Vec<String> {
    let table = fs::read_to_string("/proc/net/unix").unwrap();
    let below = |line: &&str| {
        let path = line.split_whitespace().nth(7).unwrap_or_default();
        path.as_bytes().starts_with(directory.as_os_str().as_bytes())
    };
    table.lines().filter(below).map(str::to_owned).collect()
}
