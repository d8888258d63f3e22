//! Files in Git LFS, by the real git-lfs, from every kind of place that keeps them.

use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::thread::{self, JoinHandle};

use serde_json::{Value, json};
use tokio::sync::watch;

use super::*;
use crate::Interruption;

const MODEL: &str = "weights and more weights\n";

impl Scene {
    /// A commit by somebody who has git-lfs, with one file in it and one beside it.
    fn with_model(&self, settings: &str) -> Revision {
        self.git(&["lfs", "install", "--local"]);
        for (file, text) in [
            (".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n"),
            (".lfsconfig", settings),
            ("model.bin", MODEL),
            ("plain.txt", "x"),
        ] {
            fs::write(self.work().join(file), text).unwrap();
        }
        let revision = self.commit("model");
        let stored = self.git(&["show", "HEAD:model.bin"]);
        assert!(stored.starts_with("version https://git-lfs"), "it is a pointer: {stored}");
        revision
    }

    /// A bare repository with these commits, and with no file of Git LFS.
    fn published(&self) -> String {
        let bare = self.root.path().join("shop.git").display().to_string();
        self.git(&["init", "-q", "--bare", &bare]);
        self.git(&["push", "-q", "--no-verify", &bare, "main"]);
        bare
    }

    #[track_caller]
    fn assert_model(&self, revision: &Revision, name: &str) {
        let into = self.root.path().join("releases").join(name);
        self.checkout_into(revision, &into, &|_| {}).unwrap();
        assert_eq!(fs::read_to_string(into.join("model.bin")).unwrap(), MODEL);
        assert_eq!(fs::read_to_string(into.join("plain.txt")).unwrap(), "x");
    }
}

/// Answers `requests` as a server of Git LFS does, from the files that a person has.
fn serve(work: &Path, requests: usize) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, objects) = (listener.local_addr().unwrap(), work.join(".git/lfs/objects"));
    let server = thread::spawn(move || {
        for connection in listener.incoming().take(requests) {
            answer(connection.unwrap(), address, &objects);
        }
    });
    (address, server)
}

fn answer(mut connection: TcpStream, address: SocketAddr, objects: &Path) {
    let (words, body) = request(&connection);
    let reply = match words.as_str() {
        "POST /shop/objects/batch" => {
            let mut told: Value = serde_json::from_slice(&body).unwrap();
            let object = &mut told["objects"][0];
            let href = format!("http://{address}/{}", object["oid"].as_str().unwrap());
            object["actions"] = json!({"download": {"href": href}});
            json!({"transfer": "basic", "objects": [object]}).to_string().into_bytes()
        }
        get => {
            let id = get.strip_prefix("GET /").unwrap();
            fs::read(objects.join(&id[..2]).join(&id[2..4]).join(id)).unwrap()
        }
    };
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.git-lfs+json\r\nConnection: close\r\n";
    write!(connection, "{head}Content-Length: {}\r\n\r\n", reply.len()).unwrap();
    connection.write_all(&reply).unwrap();
}

/// What is asked, such as `GET /path`, and what comes with it.
fn request(connection: &TcpStream) -> (String, Vec<u8>) {
    let mut reader = BufReader::new(connection);
    let (mut words, mut length) = (None, 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let line = line.trim().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(told) = line.strip_prefix("content-length: ") {
            length = told.parse().unwrap();
        }
        words.get_or_insert(line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let words = words.unwrap();
    let (words, _) = words.rsplit_once(' ').unwrap();
    let (method, path) = words.split_once(' ').unwrap();
    (format!("{} {path}", method.to_ascii_uppercase()), body)
}

#[test]
fn what_was_pushed_to_this_machine_is_fetched_once_from_there() {
    for scheme in ["", "file://"] {
        let scene = Scene::new();
        let revision = scene.with_model("");
        let bare = scene.root.path().join("shop.git");
        let url = format!("{scheme}{}", bare.display());
        scene.git(&["init", "-q", "--bare", bare.to_str().unwrap()]);
        scene.git(&["remote", "add", "production", &url]);
        scene.git(&["push", "-q", "production", "main"]);
        fs::remove_dir_all(scene.work().join(".git/lfs")).unwrap();
        scene.host.fetch(&scene.mirror(), &url, &|_| {}).unwrap();
        scene.assert_model(&revision, "first");
        fs::remove_dir_all(bare.join("lfs")).unwrap();
        scene.assert_model(&revision, "second");
    }
}

#[test]
fn lfsconfig_says_who_keeps_them() {
    let scene = Scene::new();
    let (address, server) = serve(&scene.work(), 2);
    let revision = scene.with_model(&format!("[lfs]\n\turl = http://{address}/shop\n"));
    scene.host.fetch(&scene.mirror(), &scene.published(), &|_| {}).unwrap();
    let told = Mutex::new(Vec::new());
    let into = scene.root.path().join("told");
    scene.checkout_into(&revision, &into, &|progress| told.lock().unwrap().push(progress)).unwrap();
    assert_eq!(told.lock().unwrap()[0], Progress { done: 1, total: 1, unit: "files of Git LFS" });
    // From now on the mirror has them.
    server.join().unwrap();
    scene.assert_model(&revision, "first");
}

#[test]
fn a_server_that_says_nothing_can_be_interrupted() {
    let mut scene = Scene::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let revision = scene.with_model(&format!("[lfs]\n\turl = http://{address}/shop\n"));
    scene.host.fetch(&scene.mirror(), &scene.published(), &|_| {}).unwrap();
    let (sender, received) = watch::channel(None);
    scene.host.interruption = Interruption::reading(received);
    let server = thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        connection.read_exact(&mut [0]).unwrap();
        sender.send(Some("SIGTERM")).unwrap();
        connection.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        // Until nobody is there any more.
        connection.read_to_end(&mut Vec::new()).map_err(|error| error.kind())
    });
    let error = scene.checkout(&revision).unwrap_err();
    assert!(matches!(error, HostError::Interrupted(_)), "{error:?}");
    let over = server.join().unwrap();
    assert!(matches!(over, Ok(_) | Err(ErrorKind::ConnectionReset)), "it still waits: {over:?}");
}

#[test]
fn a_server_that_is_reached_over_ssh_says_who_keeps_them() {
    let scene = Scene::new();
    let (address, server) = serve(&scene.work(), 2);
    let revision = scene.with_model("");
    let (mirror, bare) = (scene.mirror(), scene.published());
    scene.host.fetch(&mirror, &bare, &|_| {}).unwrap();
    let ssh = scene.root.path().join("ssh");
    let script = format!(
        "#!/bin/sh\nfor last; do :; done\ncase $last in\ngit-lfs-transfer*) exit 127 ;;\n\
         git-lfs-authenticate*) echo '{{\"href\": \"http://{address}/shop\"}}' ;;\n\
         *) exec sh -c \"$last\" ;;\nesac\n"
    );
    fs::write(&ssh, script).unwrap();
    fs::set_permissions(&ssh, fs::Permissions::from_mode(0o755)).unwrap();
    scene.git(&["--git-dir", mirror.to_str().unwrap(), "config", "core.sshCommand", ssh.to_str().unwrap()]);
    scene.host.fetch(&mirror, &format!("ana@shop.example.org:{bare}"), &|_| {}).unwrap();
    scene.assert_model(&revision, "first");
    server.join().unwrap();
}

#[test]
fn what_nobody_keeps_is_named_and_never_written_as_a_pointer() {
    let scene = Scene::new();
    let revision = scene.with_model("");
    scene.host.fetch(&scene.mirror(), &scene.published(), &|_| {}).unwrap();
    let into = scene.root.path().join("releases/first");
    let error = format!("{:?}", scene.checkout_into(&revision, &into, &|_| {}).unwrap_err());
    assert!(error.contains("model.bin"), "{error}");
    assert!(!into.join("model.bin").exists());
}

#[test]
fn the_mirror_keeps_what_checkouts_have_needed_lately() {
    let scene = Scene::new();
    let first = scene.with_model("");
    fs::write(scene.work().join("model.bin"), "other weights\n").unwrap();
    let second = scene.commit("second");
    let bare = scene.root.path().join("shop.git");
    scene.git(&["init", "-q", "--bare", bare.to_str().unwrap()]);
    scene.git(&["remote", "add", "production", bare.to_str().unwrap()]);
    scene.git(&["push", "-q", "production", "main"]);
    scene.host.fetch(&scene.mirror(), bare.to_str().unwrap(), &|_| {}).unwrap();
    let kept = || {
        let lines = scene.git(&["lfs", "ls-files", "--all", "--long"]);
        let names = lines.lines().map(|line| line.split(' ').next().unwrap().to_owned());
        names.filter(|name| tidy::large_file(&scene.mirror(), name).unwrap().exists()).count()
    };
    scene.checkout(&first).unwrap();
    scene.checkout(&second).unwrap();
    assert_eq!(kept(), 2);
    let (before, again) = (Timestamp::now(), scene.root.path().join("again"));
    scene.checkout_into(&first, &again, &|_| {}).unwrap();
    scene.host.tidy(&scene.mirror(), before).unwrap();
    assert_eq!(kept(), 1);
    fs::remove_dir_all(bare.join("lfs")).unwrap();
    scene.assert_model(&first, "from the mirror");
}
