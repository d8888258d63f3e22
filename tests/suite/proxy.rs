//! The proxy that runs, whatever its file says: a deploy asks it at `verify.url`, and so does `release check`.

use std::path::{Path, PathBuf};

use crate::support::nginx::Nginx;
use crate::support::{Client, QUICK, Sandbox};

struct Proxied {
    // Before the sandbox, which kills what is left.
    nginx: Nginx,
    directory: PathBuf,
    sandbox: Sandbox,
}

impl Proxied {
    /// A release is live, and nginx knows it by its own path.
    fn by_its_own_path() -> Self {
        let sandbox = Sandbox::new();
        sandbox.configure(QUICK);
        sandbox.release(&["deploy", "main"]).exits(0);
        let directory = sandbox.directory().join("nginx");
        let release = sandbox.root.join("releases").join(sandbox.current().unwrap());
        let nginx = Nginx::with_locations(&directory, &locations(&release, &release.join("static_root")));
        sandbox.configure(&format!(
            "{QUICK}verify: {{url: \"http://{}/healthz\", timeout: 2s}}\nproxy: {{config: [{}/nginx.conf]}}\n",
            nginx.address,
            directory.display()
        ));
        Self { nginx, directory, sandbox }
    }

    fn write(&self, statics: &str) {
        let current = self.sandbox.root.join("current");
        self.nginx.rewrite(&self.directory, &locations(&current, &current.join(statics)));
    }

    fn reloaded(&self, path: &str) -> u16 {
        self.nginx.reload();
        Client::tcp(self.nginx.address, false).get(path).unwrap().status
    }
}

fn locations(release: &Path, statics: &Path) -> String {
    format!(
        "location /static/ {{ alias {}/; }}
        location / {{ proxy_pass http://unix:{}/run/web.sock; proxy_set_header Host $host; }}",
        statics.display(),
        release.display()
    )
}

#[test]
fn a_proxy_that_was_not_reloaded_or_serves_other_files_is_found() {
    let proxied = Proxied::by_its_own_path();
    let sandbox = &proxied.sandbox;
    sandbox.release(&["check"]).exits(3).says("names a single release");
    // Corrected, and nobody told nginx.
    proxied.write("static_root");
    sandbox.release(&["check"]).exits(0);
    // While this is verified the old release still answers, and then no more.
    sandbox.deploy("code");
    let answers = format!("proxy answers 502 to GET http://{}/healthz", proxied.nginx.address);
    sandbox.release(&["check"]).exits(3).says(&answers).says("curl -i");
    let (current, sha) = (sandbox.current(), sandbox.repository.add("code"));
    sandbox.release(&["deploy", &sha]).exits(4).says("the site at").says("answers 502 to GET /healthz");
    assert_eq!(sandbox.current(), current, "it went back");

    assert_eq!(proxied.reloaded("/healthz"), 200);
    sandbox.release(&["check"]).exits(0);
    sandbox.release(&["deploy", &sha]).exits(0);
    assert_eq!(sandbox.live_revision(), sha);

    proxied.write("frontend");
    let file = "/static/staticfiles.json";
    assert_eq!(proxied.reloaded(file), 404);
    let found = format!("is there, and the proxy answers 404 to GET {file}");
    sandbox.release(&["check"]).exits(3).says(&found).says("release generate nginx");
}
