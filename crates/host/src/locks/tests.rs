use std::cell::RefCell;
use std::sync::mpsc;

use release_core::run::RunId;

use super::*;
use crate::testing;

fn holder(run: &str) -> Holder {
    Holder { run: RunId(run.to_owned()), what: format!("{run}, which builds a venv") }
}

#[test]
fn one_holds_a_lock_and_who_waits_is_told_of_it_once() {
    let (root, host) = testing::host();
    let (_other_root, other) = testing::host();
    let path = root.path().join("lock/venv-1");
    let held = host.try_hold(&path, &holder("a")).unwrap().unwrap();
    assert!(other.try_hold(&path, &holder("b")).unwrap().is_none());
    let (tell, told) = mpsc::channel();
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| {
            let heard = RefCell::new(Vec::new());
            let waiting = |who: &str| {
                heard.borrow_mut().push(who.to_owned());
                tell.send(()).unwrap();
            };
            let held = other.hold(&path, &holder("b"), &waiting).unwrap();
            (held.killed.is_none(), heard.into_inner())
        });
        told.recv().unwrap();
        drop(held);
        let (in_order, heard) = waits.join().unwrap();
        assert!(in_order, "who gives a lock back was not killed");
        assert_eq!(heard, ["a, which builds a venv"]);
    });
}

#[test]
fn what_a_killed_run_left_is_named_to_the_next() {
    let (root, host) = testing::host();
    let path = root.path().join("venv-1");
    fs::write(&path, serde_json::to_vec(&holder("killed")).unwrap()).unwrap();
    let held = host.try_hold(&path, &holder("next")).unwrap().unwrap();
    assert_eq!(held.killed, Some(RunId("killed".to_owned())));
    drop(held);
    assert_eq!(host.try_hold(&path, &holder("third")).unwrap().unwrap().killed, None);
}

#[test]
fn a_lock_whose_file_was_removed_is_no_lock() {
    let (root, host) = testing::host();
    let path = root.path().join("venv-1");
    let waiter = open(&path).unwrap();
    let held = host.try_hold(&path, &holder("a")).unwrap();
    fs::remove_file(&path).unwrap();
    drop(held);
    flock(&waiter, FlockOperation::NonBlockingLockExclusive).unwrap();
    assert!(!is_at(&waiter, &path).unwrap(), "who waited has to ask again");
    assert!(host.try_hold(&path, &holder("b")).unwrap().is_some());
}

#[test]
fn a_lock_of_another_user_needs_no_right_to_write() {
    let (root, host) = testing::host();
    let path = root.path().join("venv-1");
    fs::write(&path, "").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o444)).unwrap();
    let held = host.try_hold(&path, &holder("a")).unwrap();
    assert!(held.is_some());
    assert!(host.try_hold(&path, &holder("b")).unwrap().is_none());
}
