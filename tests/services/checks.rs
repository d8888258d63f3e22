//! `release check` beside a true nginx: what it loads, from wherever.

use std::fs;

use crate::site::Site;

/// Runs what follows where `/etc/nginx` is a directory of the test, and so are nginx's other places.
fn namespace(site: &Site) -> Vec<String> {
    let at = site.directory().join("etc-nginx");
    let script = "mount --bind \"$0\" /etc/nginx && mount -t tmpfs none /run && mount -t tmpfs none /var/log && \
                  mkdir /var/log/nginx && exec \"$@\"";
    let words = ["unshare", "--mount", "sh", "-c", script, at.to_str().unwrap()];
    words.map(str::to_owned).into()
}

#[test]
fn check_reads_all_that_nginx_loads() {
    if !rustix::process::geteuid().is_root() {
        println!("NOT TESTED: another /etc/nginx needs root");
        return;
    }
    let mut site = Site::of("managed");
    let (root, etc) = (site.root.display().to_string(), site.directory().join("etc-nginx"));
    let elsewhere = site.directory().join("elsewhere.conf");
    fs::create_dir_all(&etc).unwrap();
    let main = format!("events {{}}\nhttp {{ include {}; }}\n", elsewhere.display());
    fs::write(etc.join("nginx.conf"), main).unwrap();
    site.before = namespace(&site);
    let pass = |socket: &str| {
        let location = format!("location / {{ proxy_pass http://unix:{root}/{socket}; }}");
        fs::write(&elsewhere, format!("server {{ listen 127.0.0.1:8999;\n{location} }}\n")).unwrap();
    };
    let at = format!("{}:2: `proxy_pass", elsewhere.display());
    pass("current/run/web.sock");
    site.release(&["check"]).exits(0);
    pass("releases/20261119T090000Z-aaaaaaa/run/web-g1.sock");
    site.release(&["check"]).exits(3).says(&at).says("names a single release");
    pass("current/run/web-g1.sock");
    site.release(&["check"]).exits(3).says(&at).says("names the socket of a single boot");
    // What nginx would not load is read from its usual files.
    fs::write(&elsewhere, "no such directive;\n").unwrap();
    site.release(&["check"]).exits(3).says("does not mention");
}
