//! A RabbitMQ of its own, for what takes its tasks by AMQP.

use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::broker::free_port;
use crate::support::{processes, wait_until};

/// What Debian's `rabbitmq-server` becomes once it has changed the user.
const SERVER: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";
/// It syncs what it takes: on a disk that other tests keep busy it seems to be what let nobody through for over 20 s.
const MEMORY: &str = "/dev/shm";
/// Longer than it takes to start or to end, on a busy machine too.
const LIMIT: Duration = Duration::from_secs(60);

/// It keeps all that it writes in a directory of its own, and ends with the test.
pub(crate) struct RabbitMq {
    port: u16,
    server: Child,
    /// The register of Erlang's nodes; RabbitMQ would start one that outlives it.
    epmd: Child,
    directory: TempDir,
}

impl RabbitMq {
    /// One for the long runs, which alone have it installed.
    pub(crate) fn if_all() -> Option<Self> {
        if std::env::var_os("RELEASE_TEST_ALL").is_none() {
            println!("NOT TESTED: what takes its tasks by AMQP is tried with RELEASE_TEST_ALL=1");
            return None;
        }
        Some(Self::start())
    }

    fn start() -> Self {
        let directory = tempfile::Builder::new().prefix("rq-").tempdir_in(MEMORY).unwrap();
        let (port, register) = (free_port(), free_port().to_string());
        let mut epmd = Command::new("epmd");
        epmd.args(["-port", &register, "-address", "127.0.0.1"]);
        let epmd = started(&mut epmd, &directory);
        let mut server = Command::new(SERVER);
        server.envs(places(&directory)).envs(numbers(port, &register));
        let server = started(&mut server, &directory);
        let rabbitmq = Self { port, server, epmd, directory };
        wait_until("rabbitmq answers", LIMIT, || TcpStream::connect(("127.0.0.1", port)).is_ok());
        rabbitmq
    }

    /// Where its virtual host `/` is.
    pub(crate) fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}", self.port)
    }
}

impl Drop for RabbitMq {
    fn drop(&mut self) {
        for child in [&mut self.server, &mut self.epmd] {
            let _ = child.kill();
            let _ = child.wait();
        }
        // Its own children end when it has.
        let is_gone = || processes::of(self.directory.path()).is_empty();
        if !std::thread::panicking() {
            wait_until("nothing of rabbitmq is left", LIMIT, is_gone);
        }
    }
}

/// Where it would otherwise use what belongs to the machine.
fn places(directory: &TempDir) -> [(&'static str, String); 5] {
    let within = |name: &str| directory.path().join(name).display().to_string();
    [
        ("RABBITMQ_MNESIA_BASE", within("mnesia")),
        ("RABBITMQ_LOG_BASE", within("log")),
        ("RABBITMQ_CONFIG_FILE", within("no-configuration")),
        ("RABBITMQ_CONF_ENV_FILE", within("no-variables")),
        ("RABBITMQ_ENABLED_PLUGINS_FILE", within("no-plugins")),
    ]
}

fn numbers(port: u16, register: &str) -> [(&'static str, String); 8] {
    [
        ("RABBITMQ_NODENAME", format!("rabbit-{port}@localhost")),
        ("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1".to_owned()),
        ("RABBITMQ_NODE_PORT", port.to_string()),
        ("RABBITMQ_DIST_PORT", free_port().to_string()),
        ("ERL_EPMD_PORT", register.to_owned()),
        ("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "-kernel inet_dist_use_interface {127,0,0,1}".to_owned()),
        // Else a shell stands between it and us.
        ("RABBITMQ_ALLOW_INPUT", "1".to_owned()),
        ("RABBITMQ_SERVER_START_ARGS", "-noinput".to_owned()),
    ]
}

fn started(command: &mut Command, directory: &TempDir) -> Child {
    // The secret of its nodes lies there, too.
    command.env("HOME", directory.path()).current_dir(directory);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command.spawn().expect("rabbitmq-server is installed")
}
