//! The real proxies, each with the file that was generated for it, as it is.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::Site;
use crate::support::{Running, start, wait_until};

/// A proxy in front of the app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proxy {
    Nginx,
    Caddy,
    Haproxy,
    Apache,
}

impl Proxy {
    pub(crate) const ALL: [Proxy; 4] = [Proxy::Nginx, Proxy::Caddy, Proxy::Haproxy, Proxy::Apache];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Proxy::Nginx => "nginx",
            Proxy::Caddy => "caddy",
            Proxy::Haproxy => "haproxy",
            Proxy::Apache => "apache",
        }
    }

    /// HAProxy asks the app for everything.
    pub(crate) fn serves_files(self) -> bool {
        self != Proxy::Haproxy
    }

    /// Starts it with the file that was generated for `site`; it ends when it is dropped.
    #[track_caller]
    pub(crate) fn start(self, site: &Site) -> Running {
        self.serve(site.directory(), &site.generate(self.name()), &[site.address])
    }

    /// Starts it with `file`, and waits until it listens at each of `addresses`.
    #[track_caller]
    pub(crate) fn serve(self, directory: &Path, file: &Path, addresses: &[SocketAddr]) -> Running {
        let home = directory.join(format!("{}-home", self.name()));
        fs::create_dir_all(&home).unwrap();
        let mut running = start(self.command(&home, file), &directory.join("out"));
        wait_until(&format!("{} listens", self.name()), Duration::from_secs(20), || {
            assert!(!running.is_over(), "{} ended: {}{}", self.name(), running.output(), running.errors());
            addresses.iter().all(|address| TcpStream::connect(address).is_ok())
        });
        running
    }

    /// Runs it with the sites of `file`, and all else below `home`.
    fn command(self, home: &Path, file: &Path) -> Command {
        match self {
            Proxy::Nginx => nginx(home, file),
            Proxy::Caddy => caddy(home, file),
            Proxy::Haproxy => haproxy(file),
            Proxy::Apache => apache(home, file),
        }
    }

    /// The program's own version.
    pub(crate) fn version(self) -> String {
        let (name, flag) = match self {
            Proxy::Nginx => ("nginx", "-v"),
            Proxy::Caddy => ("caddy", "version"),
            Proxy::Haproxy => ("haproxy", "-v"),
            Proxy::Apache => ("apache2", "-v"),
        };
        let output = program(name).arg(flag).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        let number = |word: &str| word.trim_start_matches(|c: char| !c.is_ascii_digit()).to_owned();
        said.split_whitespace().map(number).find(|word| word.contains('.')).unwrap_or_default()
    }
}

/// Debian keeps them where only root's PATH looks.
fn program(name: &str) -> Command {
    let path = Path::new("/usr/sbin").join(name);
    if path.exists() { Command::new(path) } else { Command::new(name) }
}

fn nginx(home: &Path, file: &Path) -> Command {
    let (at, site) = (home.display(), file.display());
    let main = format!(
        "daemon off; worker_processes 2; pid {at}/pid; error_log {at}/error.log;\n\
         events {{ worker_connections 512; }}\n\
         http {{\n    access_log off;\n    client_body_temp_path {at}/body; proxy_temp_path {at}/proxy;\n    \
         fastcgi_temp_path {at}/fastcgi; uwsgi_temp_path {at}/uwsgi; scgi_temp_path {at}/scgi;\n    \
         include {site};\n}}\n"
    );
    fs::write(home.join("nginx.conf"), main).unwrap();
    // Beside nginx.conf, as it stands in /etc/nginx; where that is missing, nginx says so.
    let _ = fs::copy("/etc/nginx/uwsgi_params", home.join("uwsgi_params"));
    let mut command = program("nginx");
    command.arg("-p").arg(home).arg("-c").arg(home.join("nginx.conf")).arg("-e").arg(home.join("error.log"));
    command
}

fn caddy(home: &Path, file: &Path) -> Command {
    // Its admin interface has a fixed port, and is no part of the site.
    fs::write(home.join("Caddyfile"), format!("{{\n\tadmin off\n}}\nimport {}\n", file.display())).unwrap();
    let mut command = program("caddy");
    command.args(["run", "--adapter", "caddyfile", "--config"]).arg(home.join("Caddyfile"));
    command.env("HOME", home).env("XDG_DATA_HOME", home).env("XDG_CONFIG_HOME", home);
    command
}

fn haproxy(file: &Path) -> Command {
    let mut command = program("haproxy");
    command.arg("-db").arg("-f").arg(file);
    command
}

/// Threads for every client, in children that stay: Apache closes kept connections where all threads of a child
/// are busy and where it ends one that is idle, with or without a switch (docs/proxies.md).
const THREADS: &str = "ThreadLimit 128\nThreadsPerChild 128\nStartServers 2\nServerLimit 2\n\
                       MaxRequestWorkers 256\nMinSpareThreads 1\nMaxSpareThreads 256\n";

fn apache(home: &Path, file: &Path) -> Command {
    const MODULES: [&str; 10] = [
        "mpm_event",
        "authz_core",
        "alias",
        "headers",
        "proxy",
        "proxy_http",
        "proxy_uwsgi",
        "rewrite",
        "ssl",
        "mime",
    ];
    let modules: String = MODULES
        .iter()
        .map(|name| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"))
        .collect();
    let (at, site) = (home.display(), file.display());
    // As root, Apache wants another user for its workers.
    let user = if rustix::process::geteuid().is_root() { "User www-data\nGroup www-data\n" } else { "" };
    let main = format!(
        "{modules}{THREADS}ServerRoot {at}\nPidFile {at}/pid\nErrorLog {at}/error.log\nDefaultRuntimeDir {at}\n\
         ServerName localhost\nTypesConfig /etc/mime.types\n{user}<Directory />\n    Require all denied\n\
         </Directory>\nInclude {site}\n"
    );
    fs::write(home.join("apache2.conf"), main).unwrap();
    let mut command = program("apache2");
    command.arg("-DFOREGROUND").arg("-d").arg(home).arg("-f").arg(home.join("apache2.conf"));
    command
}
