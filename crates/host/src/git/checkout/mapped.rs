//! How much of files is mapped into this process and counts as its memory.

use std::fs;

/// In bytes; 0 where the kernel does not tell.
pub(in crate::git) fn mapped() -> u64 {
    // Pages: all of the program, all in memory, and of those the ones that belong to files (proc(5)).
    let told = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = told.split(' ').nth(2).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0) * rustix::param::page_size() as u64
}
