//! The processes of one program: its master, and all that it started.

use release_core::host::HostResult;
use release_core::layout::Layout;

use super::table::{Process, all, carries_name};

/// Their ids. A process that changed its environment is found by its parents, and one whose parent
/// is gone by its environment.
pub(super) fn of(layout: &Layout, program: &str, pid: Option<u32>) -> HostResult<Vec<u32>> {
    let processes = all()?;
    let named = [program.to_owned()];
    let is_root = |process: &&Process| Some(process.pid) == pid || carries_name(**process, layout, &named);
    let roots = processes.iter().filter(is_root).map(|process| process.pid).collect();
    Ok(with_descendants(roots, &processes))
}

fn with_descendants(mut family: Vec<u32>, processes: &[Process]) -> Vec<u32> {
    let mut next = 0;
    while let Some(parent) = family.get(next).copied() {
        let children = processes.iter().filter(|process| process.parent == parent).map(|process| process.pid);
        let new: Vec<u32> = children.filter(|child| !family.contains(child)).collect();
        family.extend(new);
        next += 1;
    }
    family.sort_unstable();
    family
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_family_is_the_master_with_all_below_it() {
        let process = |pid, parent| Process { pid, parent, group: 1, session: 1 };
        let all = [process(1, 0), process(5, 1), process(6, 5), process(7, 6), process(8, 1)];
        assert_eq!(with_descendants(vec![5], &all), [5, 6, 7]);
        assert_eq!(with_descendants(vec![6, 5], &all), [5, 6, 7]);
        assert_eq!(with_descendants(Vec::new(), &all), [0; 0]);
    }
}
