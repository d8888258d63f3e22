//! A private nginx in front of `current`, as the README says to configure it.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal};

use super::wait_until;

/// It runs until it is dropped.
#[derive(Debug)]
pub(crate) struct Nginx {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Nginx {
    /// Starts it in `directory`, for the shop at `root`.
    pub(crate) fn start(directory: &Path, root: &Path) -> Self {
        let root = root.display();
        let locations = format!(
            "location /static/ {{ alias {root}/current/static_root/; }}
        location / {{
            proxy_pass http://unix:{root}/current/run/web.sock;
            proxy_set_header Host $host;
        }}"
        );
        Self::with_locations(directory, &locations)
    }

    /// Starts it in `directory`, with `locations` in its server.
    pub(crate) fn with_locations(directory: &Path, locations: &str) -> Self {
        fs::create_dir_all(directory).unwrap();
        let address = free_port();
        let file = write(directory, locations, address);
        let log = fs::File::create(directory.join("stderr")).unwrap();
        let child = Command::new(program())
            .arg("-p")
            .arg(directory)
            .arg("-c")
            .arg(&file)
            .arg("-e")
            .arg(directory.join("error.log"))
            .stdin(Stdio::null())
            .stderr(log)
            .process_group(0)
            .spawn()
            .expect("nginx is installed");
        wait_until("nginx listens", Duration::from_secs(10), || TcpStream::connect(address).is_ok());
        Self { child, address }
    }

    /// Writes its file anew, of which it takes no notice.
    pub(crate) fn rewrite(&self, directory: &Path, locations: &str) {
        write(directory, locations, self.address);
    }

    /// Has it read its file again, and waits until no worker is left that has not.
    pub(crate) fn reload(&self) {
        let old = self.workers();
        rustix::process::kill_process(Pid::from_child(&self.child), Signal::HUP).unwrap();
        wait_until("nginx has reloaded", Duration::from_secs(10), || {
            let now = self.workers();
            !now.is_empty() && now.iter().all(|worker| !old.contains(worker))
        });
    }

    fn workers(&self) -> Vec<String> {
        let master = self.child.id();
        let children = fs::read_to_string(format!("/proc/{master}/task/{master}/children")).unwrap();
        children.split_whitespace().map(str::to_owned).collect()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = rustix::process::kill_process(Pid::from_child(&self.child), Signal::TERM);
        let _ = self.child.wait();
    }
}

/// Debian keeps it where only root's PATH looks.
fn program() -> &'static str {
    if Path::new("/usr/sbin/nginx").exists() { "/usr/sbin/nginx" } else { "nginx" }
}

fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn write(directory: &Path, locations: &str, address: SocketAddr) -> PathBuf {
    let file = directory.join("nginx.conf");
    fs::write(&file, configuration(directory, locations, address)).unwrap();
    file
}

fn configuration(directory: &Path, locations: &str, address: SocketAddr) -> String {
    let at = directory.display();
    // Workers of a root's nginx would otherwise be nobody, who may not connect to the socket.
    let user = if rustix::process::geteuid().is_root() { "user root;" } else { "" };
    format!(
        "daemon off; worker_processes 1; pid {at}/pid; error_log {at}/error.log; {user}
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {at}/body; proxy_temp_path {at}/proxy;
    fastcgi_temp_path {at}/fastcgi; uwsgi_temp_path {at}/uwsgi; scgi_temp_path {at}/scgi;
    server {{
        listen {address};
        {locations}
    }}
}}
"
    )
}
