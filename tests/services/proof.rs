//! What `/proc` proves of a release's processes, and what they keep from being removed.

use std::fs;
use std::process::{Child, Command};

use crate::load::Load;
use crate::site::{Pass, Site};

const COMMAND: &str = "gunicorn app -w 2 --threads 4 --bind unix:$SOCKET";
const USUAL: &str = "    health: {settle: 100ms, warm_up: 4}\n";

#[test]
fn a_process_that_runs_the_old_release_never_gets_users() {
    let site = Site::of("servers");
    site.configure(COMMAND, USUAL);
    site.switch();
    let nginx = site.nginx(Pass::Http);
    let live = site.current();
    let load = Load::start(nginx.address, &site.root);
    // It answers well: by its health nobody could tell.
    site.configure(&format!("sh -c 'cd $RELEASE_ROOT/cur* && exec {COMMAND}'"), USUAL);
    site.release(&["deploy", "--force"]).exits(3).says("web mixes releases").says(&live);
    assert_eq!(site.current(), live);
    // As one would write it.
    site.configure(&format!("{COMMAND} --chdir $RELEASE_ROOT/current"), USUAL);
    site.release(&["deploy", "--force"]).exits(3).says("its command names").says("help:");
    site.configure(COMMAND, USUAL);
    site.switch().says("prove");
    load.stop().assert_flawless(1);
    site.assert_tidy();
    site.stop();
}

/// Ends with the test.
struct Sleeper(Child);

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn an_environment_that_a_process_runs_from_is_not_pruned() {
    let site = Site::of("servers");
    site.configure(COMMAND, USUAL);
    let entry = site.root.join("cache/venv/of-nobody");
    fs::create_dir_all(&entry).unwrap();
    fs::copy("/bin/sleep", entry.join("sleeper")).unwrap();
    let sleeper = Sleeper(Command::new(entry.join("sleeper")).arg("300").current_dir("/").spawn().unwrap());
    site.switch().says(&format!("processes {} use it", sleeper.0.id()));
    assert!(entry.exists());
    drop(sleeper);
    site.switch();
    assert!(!entry.exists());
    site.stop();
}
