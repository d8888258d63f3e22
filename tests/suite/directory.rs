//! A repository that holds more than the app: Django in `services/shop`, its front end in `web`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::nginx::Nginx;
use crate::support::{Client, QUICK, Reply, Sandbox, git};

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/apps/shop");

struct Monorepo {
    // Before the sandbox, which kills what is left: workers would outlive a killed master.
    nginx: Nginx,
    sandbox: Sandbox,
    work: PathBuf,
}

impl Monorepo {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let work = sandbox.directory().join("mono");
        fs::create_dir_all(work.join("services")).unwrap();
        run(Command::new("cp").arg("-rT").arg(FIXTURE).arg(work.join("services/shop")));
        fs::rename(work.join("services/shop/frontend"), work.join("web")).unwrap();
        let root = sandbox.root.display();
        let locations = format!(
            "location /static/ {{ alias {root}/current/services/shop/static_root/; }}
        location / {{ proxy_pass http://unix:{root}/current/run/web.sock; proxy_set_header Host $host; }}"
        );
        let nginx = Nginx::with_locations(&sandbox.directory().join("nginx"), &locations);
        let mono = Self { nginx, sandbox, work };
        mono.replace(
            "services/shop/shop/settings.py",
            "BASE_DIR / \"frontend\"",
            "BASE_DIR.parents[1] / \"web\"",
        );
        mono.replace(
            "services/shop/release.yml",
            "services:",
            "frontend: [{directory: ../../web}]\nservices:",
        );
        run(git(&mono.work).args(["init", "-q", "-b", "main"]));
        mono.commit();
        mono
    }

    fn replace(&self, file: &str, from: &str, to: &str) {
        let path = self.work.join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(path, text.replacen(from, to, 1)).unwrap();
    }

    fn commit(&self) {
        run(git(&self.work).args(["add", "-A"]));
        run(git(&self.work).args(["commit", "-qm", "next"]));
    }

    fn configure(&self, more: &str) {
        let proxy = self.sandbox.directory().join("nginx/nginx.conf");
        let known = format!("repository: {}\nproxy: {{config: [{}]}}", self.work.display(), proxy.display());
        let text = format!("{known}\n{QUICK}{more}");
        fs::write(self.sandbox.root.join("release.yml"), text).unwrap();
    }

    #[track_caller]
    fn get(&self, path: &str) -> Reply {
        Client::tcp(self.nginx.address, false).get(path).unwrap()
    }

    /// Fails the test unless the active release answers, with the code that calls itself `marker`.
    #[track_caller]
    fn assert_serves(&self, marker: &str) -> String {
        let page = self.get("/");
        assert_eq!((page.status, page.header("x-code")), (200, Some(marker)), "{page:?}");
        assert_eq!(page.header("x-release"), self.sandbox.current().as_deref());
        page.body
    }

    /// What a command prints in the active release.
    #[track_caller]
    fn prints(&self, words: &[&str]) -> String {
        self.sandbox.release(&[&["exec", "--"], words].concat()).exits(0).out.trim().to_owned()
    }
}

#[track_caller]
fn run(command: &mut Command) {
    let done = command.output().unwrap();
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn an_app_below_the_top_is_deployed_changed_moved_and_rolled_back() {
    let mono = Monorepo::new();
    a_directory_that_is_not_there_is_told(&mono);
    mono.configure("directory: services/shop\n");
    everything_runs_where_the_app_is(&mono);
    changed_and_back(&mono);
    moved_and_back(&mono);
}

fn a_directory_that_is_not_there_is_told(mono: &Monorepo) {
    mono.configure("directory: services/sohp\n");
    let help = "a manage.py lies in services/shop: `directory: services/shop`";
    for command in [["deploy", "main"].as_slice(), &["plan"]] {
        mono.sandbox.release(command).exits(2).says("the directory services/sohp is not in").says(help);
    }
    let found = mono.sandbox.release(&["check"]).exits(3);
    assert!(found.out.contains("the directory services/sohp is not in"), "{found}");
    mono.configure("directory: web\n");
    mono.sandbox.release(&["deploy", "main"]).exits(2).says("there is no web/release.yml of");
}

fn everything_runs_where_the_app_is(mono: &Monorepo) {
    let plan = mono.sandbox.facts(&["plan"]);
    let look = |id: &str| plan["steps"].as_array().unwrap().iter().find(|step| step["step"] == id).unwrap();
    assert_eq!((&look("venv")["state"], &look("frontend")["state"]), (&"needed".into(), &"needed".into()));
    assert_eq!(mono.sandbox.facts(&["check"])["ok"], true);
    mono.sandbox.release(&["deploy", "main"]).exits(0);

    let page = mono.assert_serves("0");
    let bundle = page.split('"').find(|word| word.starts_with("/static/bundle/") && word.ends_with(".js"));
    assert_eq!(mono.get(bundle.expect("the page names its bundle")).status, 200);
    let (root, id) = (&mono.sandbox.root, mono.sandbox.current().unwrap());
    let app = root.join("releases").join(&id).join("services/shop");
    assert_eq!(mono.prints(&["pwd"]), app.display().to_string());
    assert_eq!(
        mono.prints(&["python", "-c", "import os; print(os.environ['PWD'])"]),
        app.display().to_string()
    );
    assert_eq!(fs::read_link(app.join("data")).unwrap(), Path::new("../../../../shared/data"));
    assert!(root.join("shared/data/db.sqlite3").exists(), "migrated in shared/");
    let generated = mono.sandbox.release(&["generate", "nginx"]).exits(0).out;
    let alias = format!("alias {}/current/services/shop/static_root/;", root.display());
    assert!(generated.contains(&alias) && generated.contains("/current/run/web.sock"), "{generated}");
    let inside =
        mono.sandbox.command(&["status"]).env_remove("RELEASE_ROOT").current_dir(&app).output().unwrap();
    assert!(inside.status.success(), "the root is found from within the app");
}

fn changed_and_back(mono: &Monorepo) {
    mono.replace("services/shop/shop/marker.py", "\"0\"", "\"1\"");
    mono.commit();
    let done = mono.sandbox.release(&["deploy", "main", "--json"]).exits(0);
    assert!(!done.built("venv") && !done.built("frontend"), "what lies beside the app is not built anew");
    mono.assert_serves("1");
    mono.sandbox.release(&["rollback"]).exits(0);
    mono.assert_serves("0");
    mono.sandbox.assert_tidy();
}

/// Each release keeps its own directory.
fn moved_and_back(mono: &Monorepo) {
    run(git(&mono.work).args(["mv", "services/shop", "services/store"]));
    mono.replace("services/store/shop/marker.py", "\"1\"", "\"2\"");
    mono.commit();
    mono.configure("directory: services/store\n");
    mono.sandbox.release(&["deploy", "main"]).exits(0);
    mono.assert_serves("2");
    assert!(mono.prints(&["pwd"]).ends_with("services/store"));
    mono.sandbox.release(&["rollback"]).exits(0);
    mono.assert_serves("0");
    assert!(mono.prints(&["pwd"]).ends_with("services/shop"));
    mono.sandbox.assert_tidy();
}
