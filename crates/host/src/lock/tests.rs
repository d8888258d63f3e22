use std::time::Instant;

use super::*;
use crate::testing;

fn holder() -> Holder {
    Holder {
        pid: 4711,
        user: "ana".to_owned(),
        since: "2026-11-20T10:41:02.5Z".parse().unwrap(),
        action: "deploy".to_owned(),
        revision: Some("main".to_owned()),
        step: None,
    }
}

fn layout() -> (tempfile::TempDir, Layout) {
    let root = tempfile::tempdir().unwrap();
    let layout = Layout::new(root.path());
    (root, layout)
}

#[test]
fn a_second_run_is_told_who_holds_the_lock() {
    let (_root, layout) = layout();
    let lock = Lock::acquire(&layout, &holder()).unwrap();
    let error = Lock::acquire(&layout, &Holder { pid: 1, ..holder() }).unwrap_err();
    assert_eq!(error.to_string(), "locked by ana (pid 4711) since 2026-11-20 10:41:02 UTC: deploy of main");
    assert!(error.help().unwrap().contains("--wait"));
    lock.revision(&"3f2c1a9d0c5b4e6f7a8b9c0d1e2f3a4b5c6d7e8f".parse().unwrap());
    lock.step("venv");
    let error = Lock::acquire(&layout, &holder()).unwrap_err();
    assert!(error.to_string().ends_with(": deploy of 3f2c1a9, at step venv"), "{error}");
}

#[test]
fn a_dropped_lock_is_free_and_its_file_stays() {
    let (_root, layout) = layout();
    drop(Lock::acquire(&layout, &holder()).unwrap());
    assert!(layout.lock().exists());
    assert!(Lock::probe(&layout).is_ok());
    assert_eq!(Lock::holder(&layout), None, "what stands in the file is of the past");
    assert!(Lock::acquire(&layout, &holder()).is_ok());
}

#[test]
fn status_sees_the_holder_as_it_is_now() {
    let (_root, layout) = layout();
    assert_eq!(Lock::holder(&layout), None);
    let long = Holder { user: "x".repeat(200), ..holder() };
    drop(Lock::acquire(&layout, &long).unwrap());
    let lock = Lock::acquire(&layout, &holder()).unwrap();
    assert_eq!(Lock::holder(&layout), Some(holder()), "nothing is left of the longer text");
    lock.step("checkout");
    assert_eq!(Lock::holder(&layout).unwrap().step.as_deref(), Some("checkout"));
}

#[test]
fn half_a_holder_is_still_a_lock() {
    let (_root, layout) = layout();
    let _lock = Lock::acquire(&layout, &holder()).unwrap();
    for half in ["", "{\"pid\":47", "\n", "{}"] {
        fs::write(layout.lock(), half).unwrap();
        assert_eq!(Lock::probe(&layout).unwrap_err().to_string(), "locked by another run", "{half}");
    }
}

#[test]
fn looking_keeps_nobody_from_the_lock() {
    let (_root, layout) = layout();
    drop(Lock::acquire(&layout, &holder()).unwrap());
    std::thread::scope(|scope| {
        let runs = scope.spawn(|| (0..200).all(|_| Lock::acquire(&layout, &holder()).is_ok()));
        while !runs.is_finished() {
            let _ = Lock::holder(&layout);
            thread::sleep(Duration::from_millis(1));
        }
        assert!(runs.join().unwrap());
    });
}

#[test]
fn a_child_that_outlives_us_does_not_hold_the_lock() {
    let (_root, layout) = layout();
    let lock = Lock::acquire(&layout, &holder()).unwrap();
    let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
    drop(lock);
    let result = Lock::acquire(&layout, &holder());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(result.is_ok());
}

#[test]
fn who_waits_gets_the_lock_when_it_is_given_back() {
    let (_root, host) = testing::host();
    let layout = host.layout.clone();
    let lock = Lock::acquire(&layout, &holder()).unwrap();
    std::thread::scope(|scope| {
        let waiting = scope
            .spawn(|| Lock::wait(&layout, &Holder { pid: 2, ..holder() }, Duration::from_secs(30), &host));
        std::thread::sleep(2 * POLL);
        assert!(!waiting.is_finished());
        drop(lock);
        let _lock = waiting.join().unwrap().unwrap();
        let now = Lock::holder(&layout).unwrap();
        assert!(now.pid == 2 && now.since > holder().since, "since it has it, not since it asked");
    });
}

#[test]
fn waiting_has_an_end() {
    let (_root, host, signals) = testing::interruptible_host();
    let _lock = Lock::acquire(&host.layout, &holder()).unwrap();
    let begun = Instant::now();
    let error = Lock::wait(&host.layout, &holder(), Duration::from_millis(200), &host).unwrap_err();
    assert!(matches!(error, LockError::Held { holder: Some(_) }));
    assert!(begun.elapsed() >= Duration::from_millis(200));
    signals.send_replace(Some("SIGINT"));
    let error = Lock::wait(&host.layout, &holder(), Duration::from_secs(60), &host).unwrap_err();
    assert!(matches!(error, LockError::Host(HostError::Interrupted(_))));
}
