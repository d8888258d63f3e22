use release_core::journal::Mark;
use release_core::release::ReleaseId;
use release_core::state::{Fate, State};

use super::*;

fn layout() -> (tempfile::TempDir, Layout) {
    let root = tempfile::tempdir().unwrap();
    let layout = Layout::new(root.path());
    (root, layout)
}

fn step(name: &str) -> Entry {
    Entry::Step { step: name.to_owned(), mark: Mark::Started, note: Some("two\nlines".to_owned()) }
}

fn append(layout: &Layout, names: &[&str]) {
    let journal = JournalFile::open(layout).unwrap();
    for name in names {
        journal.append(&RunId("r-1".to_owned()), step(name)).unwrap();
    }
}

fn entries(layout: &Layout) -> Vec<Entry> {
    JournalFile::read(layout).unwrap().into_iter().map(|record| record.entry).collect()
}

fn cause(error: &HostError) -> String {
    std::error::Error::source(error).unwrap().to_string()
}

#[test]
fn what_is_appended_is_read_back() {
    let (_root, layout) = layout();
    assert!(JournalFile::read(&layout).unwrap().is_empty());
    append(&layout, &["one"]);
    append(&layout, &["two", "three"]);
    assert_eq!(entries(&layout), ["one", "two", "three"].map(step));
    let records = JournalFile::read(&layout).unwrap();
    assert!(records.iter().all(|record| record.version == 1 && record.run.0 == "r-1"));
    assert_eq!(fs::read_to_string(layout.journal()).unwrap().lines().count(), 3);
}

#[test]
fn a_torn_last_line_is_passed_over_and_cut_off_by_the_next_append() {
    let (_root, layout) = layout();
    append(&layout, &["one", "two"]);
    let whole = fs::read(layout.journal()).unwrap();
    let last = whole.len() - whole.split_inclusive(|byte| *byte == b'\n').next_back().unwrap().len();
    for length in last + 1..whole.len() {
        fs::write(layout.journal(), &whole[..length]).unwrap();
        assert_eq!(entries(&layout), [step("one")], "torn at byte {length}");
        append(&layout, &["again"]);
        assert_eq!(entries(&layout), ["one", "again"].map(step));
    }
}

#[test]
fn a_block_that_never_came_is_a_torn_line_too() {
    let (_root, layout) = layout();
    append(&layout, &["one"]);
    let whole = fs::read(layout.journal()).unwrap();
    for rest in [&b"\0\0\0\0\0"[..], b"\0\0\0\"note\":\"x\"}\n"] {
        fs::write(layout.journal(), [&whole, rest].concat()).unwrap();
        assert_eq!(entries(&layout), [step("one")]);
        append(&layout, &["two"]);
        assert_eq!(entries(&layout), ["one", "two"].map(step));
    }
}

#[test]
fn a_torn_line_is_cut_off_by_the_journal_that_failed_to_write_it() {
    let (_root, layout) = layout();
    let journal = JournalFile::open(&layout).unwrap();
    let run = RunId("r-1".to_owned());
    journal.append(&run, step("one")).unwrap();
    // As when the disk was full in the middle of a line.
    journal.end.lock().unwrap().file.write_all(b"{\"v\":1,").unwrap();
    journal.end.lock().unwrap().whole = false;
    journal.append(&run, step("two")).unwrap();
    assert_eq!(entries(&layout), ["one", "two"].map(step));
}

#[test]
fn a_broken_line_in_the_middle_is_named_and_nothing_is_appended() {
    let (_root, layout) = layout();
    append(&layout, &["one", "two"]);
    let text = fs::read_to_string(layout.journal()).unwrap();
    let broken = text.replacen('\n', "\n{\"v\":1,\n", 1);
    fs::write(layout.journal(), &broken).unwrap();
    let error = JournalFile::read(&layout).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot read {}", layout.journal().display()));
    assert!(cause(&error).starts_with("line 2 is no record"), "{}", cause(&error));
    let journal = JournalFile::open(&layout).unwrap();
    assert!(journal.append(&RunId("r-1".to_owned()), step("three")).is_err());
    assert_eq!(fs::read_to_string(layout.journal()).unwrap(), broken);
}

#[test]
fn a_record_of_a_newer_format_is_never_cut_off() {
    let (_root, layout) = layout();
    append(&layout, &["one"]);
    let text = fs::read_to_string(layout.journal()).unwrap();
    let newer = text.replace("\"v\":1", "\"v\":2");
    let unknown = text.replace("\"kind\":\"step\"", "\"kind\":\"pin\"");
    for last in [newer, unknown] {
        fs::write(layout.journal(), format!("{text}{last}")).unwrap();
        assert!(cause(&JournalFile::read(&layout).unwrap_err()).starts_with("line 2 "));
        let journal = JournalFile::open(&layout).unwrap();
        assert!(journal.append(&RunId("r-1".to_owned()), step("two")).is_err());
        assert_eq!(fs::read_to_string(layout.journal()).unwrap(), format!("{text}{last}"));
    }
}

#[test]
fn two_steps_side_by_side_append_whole_lines() {
    let (_root, layout) = layout();
    let journal = JournalFile::open(&layout).unwrap();
    std::thread::scope(|scope| {
        for name in ["one", "two"] {
            let journal = &journal;
            scope.spawn(move || {
                for _ in 0..20 {
                    journal.append(&RunId("r-1".to_owned()), step(name)).unwrap();
                }
            });
        }
    });
    assert_eq!(entries(&layout).iter().filter(|entry| **entry == step("one")).count(), 20);
    assert_eq!(entries(&layout).len(), 40);
}

#[test]
fn a_journal_of_format_1_still_adds_up() {
    let (_root, layout) = layout();
    let old = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/journals/v1/deploy-rollback.jsonl");
    fs::create_dir_all(layout.state()).unwrap();
    fs::copy(old, layout.journal()).unwrap();
    let state = State::fold(&JournalFile::read(&layout).unwrap());

    let [first, second, failed, third] = [
        "20261118T090210Z-8d41f0c",
        "20261119T141755Z-3f2c1a9",
        "20261119T160103Z-b7e9d24",
        "20261120T101500Z-c05aa17",
    ]
    .map(|id| id.parse::<ReleaseId>().unwrap());
    let active: Vec<(String, u32)> = state
        .activations
        .iter()
        .map(|activation| (activation.generation.release.to_string(), activation.generation.number))
        .collect();
    let expected = [(&first, 1), (&second, 1), (&third, 1), (&second, 2)];
    assert_eq!(active, expected.map(|(release, number)| (release.to_string(), number)));
    let fates = [
        (first.clone(), Fate::Good),
        (second.clone(), Fate::Good),
        (failed, Fate::Failed),
        (third, Fate::RolledBack),
    ];
    assert_eq!(state.fates, fates.into());
    let previous = state.previous(&second, |_| true).unwrap();
    assert_eq!(previous.generation.release, first);
    assert_eq!(state.next_generation(&second).number, 3);
    assert_eq!(state.good(), [second, first]);
    assert_eq!(state.interrupted.unwrap().step(), Some("venv"), "the last run was killed");
}
