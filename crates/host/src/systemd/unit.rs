//! The unit of a service: a template, with an instance for each generation.
//!
//! Its name ends in digits of its own text: a service that is described in another way gets another
//! template, and what runs keeps the one that it was started from.

use std::fmt::Write;
use std::path::Path;

use release_core::release::Generation;
use release_core::service::Program;

use super::{Setting, target};
use crate::label;

/// A template, and the instance of it that a program is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unit {
    /// `shop-web-1a2b3c@.service`.
    pub(super) template: String,
    /// `shop-web-1a2b3c@20261120T101500Z-3f2c1a9-g1.service`.
    pub(super) name: String,
    /// The template's text.
    pub(super) text: String,
}

/// A text that no unit can hold.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` cannot be written in a unit of systemd")]
pub(super) struct Unwritable(String);

/// Its broker may be away for a night. The pauses grow with systemd 254 and later.
const RESTART: &str = "Restart=always\nRestartSec=1s\nRestartSteps=6\nRestartMaxDelaySec=60s";
/// What an app may need that the machine starts too.
const AFTER: &str = "After=network-online.target postgresql.service mariadb.service mysql.service \
                     redis-server.service rabbitmq-server.service\n";

/// The first line of every template of the root: what does not begin so is not ours.
pub(super) fn first_line(root: &Path) -> String {
    format!("# {}: made by `release`, which writes it anew.\n", root.display())
}

impl Unit {
    /// The unit of `program`, on the machine of `setting`. What belongs to no generation has one alone.
    pub(super) fn of(program: &Program, setting: &Setting) -> Result<Self, Unwritable> {
        let generation = Generation::of_instance(&program.name);
        let instance = generation.map(|(_, generation)| generation.to_string());
        let suffix = instance.as_ref().map_or(String::new(), |instance| format!("-{instance}"));
        let service = program.name.strip_suffix(&suffix).unwrap_or(&program.name);
        if !is_plain(service) {
            return Err(Unwritable(program.name.clone()));
        }
        let text = text(program, service, instance.as_deref(), setting)?;
        let prefix = format!("{}-{service}-{}", label::of_root(&setting.root), label::mark(&text));
        let (template, name) = match instance {
            Some(instance) => (format!("{prefix}@.service"), format!("{prefix}@{instance}.service")),
            None => (format!("{prefix}.service"), format!("{prefix}.service")),
        };
        Ok(Self { template, name, text })
    }
}

/// The file of a unit: `web@.service` for `web@x.service`.
pub(super) fn file_of(unit: &str) -> String {
    match unit.split_once('@') {
        Some((prefix, _)) => format!("{prefix}@.service"),
        None => unit.to_owned(),
    }
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

fn text(
    program: &Program,
    service: &str,
    instance: Option<&str>,
    setting: &Setting,
) -> Result<String, Unwritable> {
    let root = &setting.root;
    let settings = format!("{}-{service}-.service.d", label::of_root(root));
    let mut text = first_line(root);
    let mut line = |line: String| text.push_str(&format!("{line}\n"));
    line(format!("# Own settings go into {settings}/*.conf beside it; they stay."));
    let which = if instance.is_some() { ", %i" } else { "" };
    line(format!("[Unit]\nDescription={service} of {}{which}", value(root)?));
    line(format!("RequiresMountsFor={}", quoted(&path(root)?)?));
    if setting.is_system() {
        line(AFTER.trim_end().to_owned());
    }
    let turns = setting.turns.lines(program.order, instance.is_some());
    turns.lines().for_each(|turn| line(turn.to_owned()));
    // systemd may remember that it was enabled until it reads its files again.
    line(format!("ConditionPathIsSymbolicLink={}", value(&setting.links.join("%n"))?.replace("%%n", "%n")));
    line("StartLimitIntervalSec=0\n".to_owned());
    line(format!("[Service]\nType={}", if program.notifies { "notify\nNotifyAccess=all" } else { "exec" }));
    if setting.is_system() {
        line(format!("User={}", setting.user));
    }
    line(format!("WorkingDirectory={}", value(root)?));
    for (name, text) in &setting.environment {
        line(format!("Environment={}", quoted(&format!("{name}={text}"))?));
    }
    line(format!("ExecStart={}", command(&program.command, instance)?));
    line(restart(program.restart).to_owned());
    line(stop(program));
    let log = with_specifier(value(&program.log)?, instance);
    line(format!("UMask=0022\nStandardOutput=append:{log}\nStandardError=inherit\n"));
    line(format!("[Install]\nWantedBy={}", target(setting.scope)));
    Ok(text)
}

/// What is to run once may fail without a second try, but is not given up where it is killed.
fn restart(restart: bool) -> &'static str {
    if restart { RESTART } else { "Restart=on-abnormal\nRestartSec=1s" }
}

/// A server ends its workers itself; what is left of them when it is gone is killed. One that is
/// killed for memory is replaced by it, too.
fn stop(program: &Program) -> String {
    let mut lines = String::from("KillMode=mixed\n");
    let seconds = program.stop_wait.as_secs_f64();
    write!(lines, "KillSignal=SIG{}\nTimeoutStopSec={seconds}\n", program.stop_signal)
        .expect("a string takes everything");
    // A start may take its time: whether it is well is asked of the service itself.
    lines + "TimeoutStartSec=infinity\nOOMPolicy=continue"
}

/// The instance is named in each instance's own words.
fn with_specifier(text: String, instance: Option<&str>) -> String {
    instance.map_or(text.clone(), |instance| text.replace(instance, "%i"))
}

fn command(words: &[String], instance: Option<&str>) -> Result<String, Unwritable> {
    let words: Result<Vec<String>, Unwritable> =
        words.iter().map(|word| Ok(with_specifier(quoted(word)?, instance))).collect();
    Ok(words?.join(" "))
}

pub(super) fn path(path: &Path) -> Result<String, Unwritable> {
    path.to_str().map(str::to_owned).ok_or_else(|| Unwritable(path.display().to_string()))
}

/// A path that is a whole value.
pub(super) fn value(path: &Path) -> Result<String, Unwritable> {
    let text = self::path(path)?;
    if text.contains(char::is_control) || text.trim() != text || text.ends_with('\\') {
        return Err(Unwritable(text));
    }
    Ok(text.replace('%', "%%"))
}

/// A word among others, with nothing in it replaced.
pub(super) fn quoted(word: &str) -> Result<String, Unwritable> {
    if word.contains(char::is_control) {
        return Err(Unwritable(word.to_owned()));
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "_@+=:,./-".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return Ok(word.to_owned());
    }
    let mut quoted = String::from("\"");
    for c in word.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '%' | '$' => quoted.extend([c, c]),
            c => quoted.push(c),
        }
    }
    Ok(quoted + "\"")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use release_core::config::{Log, Manager, Scope};

    use super::super::Turns;
    use super::*;

    fn web() -> Program {
        let name = "web-20261120T101500Z-3f2c1a9-g1".to_owned();
        let boot = "20261120T101500Z-3f2c1a9-g1";
        let words = ["/usr/local/bin/release", "exec", "--root", "/srv/my 50% shop", "--boot", boot];
        Program {
            command: words.map(str::to_owned).into(),
            directory: "/srv/my 50% shop/releases/20261120T101500Z-3f2c1a9".into(),
            stop_signal: "TERM".to_owned(),
            stop_wait: Duration::from_millis(40_500),
            climb: Vec::new(),
            log: format!("/srv/my 50% shop/.release/log/service/{name}.log").into(),
            rotation: Log::default(),
            order: 1,
            restart: true,
            notifies: true,
            manager: Manager::Systemd(Scope::System),
            name,
        }
    }

    fn setting() -> Setting {
        Setting {
            scope: Scope::System,
            root: "/srv/my 50% shop".into(),
            links: "/etc/systemd/system/multi-user.target.wants".into(),
            user: "root".to_owned(),
            environment: vec![("PATH".to_owned(), "/usr/bin".to_owned())],
            turns: Turns::of(Path::new("/srv/my 50% shop")),
        }
    }

    #[test]
    fn a_template_names_no_release() {
        let unit = Unit::of(&web(), &setting()).unwrap();
        let mark = label::mark(&unit.text);
        assert_eq!(unit.template, format!("my_50__shop-web-{mark}@.service"));
        assert_eq!(unit.name, format!("my_50__shop-web-{mark}@20261120T101500Z-3f2c1a9-g1.service"));
        let turns = setting().turns.template().replace("@.target", "");
        assert_eq!(
            unit.text.replace(&turns, "TURN"),
            "\
# /srv/my 50% shop: made by `release`, which writes it anew.
# Own settings go into my_50__shop-web-.service.d/*.conf beside it; they stay.
[Unit]
Description=web of /srv/my 50%% shop, %i
RequiresMountsFor=\"/srv/my 50%% shop\"
After=network-online.target postgresql.service mariadb.service mysql.service redis-server.service rabbitmq-server.service
Wants=TURN@ports.target
After=TURN@ports.target
Before=TURN@2-%i.target
ConditionPathIsSymbolicLink=/etc/systemd/system/multi-user.target.wants/%n
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=all
User=root
WorkingDirectory=/srv/my 50%% shop
Environment=PATH=/usr/bin
ExecStart=/usr/local/bin/release exec --root \"/srv/my 50%% shop\" --boot %i
Restart=always
RestartSec=1s
RestartSteps=6
RestartMaxDelaySec=60s
KillMode=mixed
KillSignal=SIGTERM
TimeoutStopSec=40.5
TimeoutStartSec=infinity
OOMPolicy=continue
UMask=0022
StandardOutput=append:/srv/my 50%% shop/.release/log/service/web-%i.log
StandardError=inherit

[Install]
WantedBy=multi-user.target
"
        );
    }

    #[test]
    fn the_next_generation_is_another_instance_of_the_same_template() {
        let next = web().name.replace("20261120T101500Z", "20261121T101500Z");
        let swap = |text: &str| text.replace("20261120T101500Z", "20261121T101500Z");
        let newer = Program {
            command: web().command.iter().map(|word| swap(word)).collect(),
            log: swap(web().log.to_str().unwrap()).into(),
            name: next,
            ..web()
        };
        let [old, new] = [web(), newer].map(|program| Unit::of(&program, &setting()).unwrap());
        assert_eq!((&old.template, &old.text), (&new.template, &new.text));
        assert_ne!(old.name, new.name);
        let patient = Program { stop_wait: Duration::from_secs(600), ..web() };
        assert_ne!(Unit::of(&patient, &setting()).unwrap().template, old.template);
    }

    #[test]
    fn each_instance_of_a_service_has_a_unit_of_its_own() {
        let generation = "20261120T101500Z-3f2c1a9-g1";
        let [first, second] = ["1", "2"].map(|number| {
            let name = format!("worker.{number}-{generation}");
            let log = format!("/srv/my 50% shop/.release/log/service/{name}.log").into();
            let command =
                web().command.into_iter().chain(["--instance".to_owned(), number.to_owned()]).collect();
            Unit::of(&Program { name, log, command, ..web() }, &setting()).unwrap()
        });
        assert_ne!(first.name, second.name);
        assert!(second.name.starts_with("my_50__shop-worker.2-"), "{}", second.name);
        assert!(second.text.contains(" --boot %i --instance 2\n"), "{}", second.text);
        assert!(second.text.contains("/worker.2-%i.log\n"), "{}", second.text);
    }

    #[test]
    fn a_user_has_units_of_their_own() {
        let unit = Unit::of(
            &Program { restart: false, notifies: false, ..web() },
            &Setting { scope: Scope::User, ..setting() },
        );
        let text = unit.unwrap().text;
        assert!(text.contains("Type=exec\nWorkingDirectory="), "{text}");
        assert!(
            text.contains("\nRestart=on-abnormal\n") && text.contains("WantedBy=default.target"),
            "{text}"
        );
        assert!(!text.contains("User=") && !text.contains("After=network"), "{text}");
    }

    #[test]
    fn what_belongs_to_no_generation_is_no_template() {
        let port = Program { name: "port-127.0.0.1_8000".to_owned(), ..web() };
        let unit = Unit::of(&port, &setting()).unwrap();
        assert!(unit.name.starts_with("my_50__shop-port-127.0.0.1_8000-"), "{}", unit.name);
        assert_eq!((&unit.name, file_of(&unit.name)), (&unit.template, unit.template.clone()));
        assert!(!unit.text.contains("%i"), "{}", unit.text);
        assert_eq!(file_of("web@x.service"), "web@.service");
    }

    #[test]
    fn words_are_quoted_and_nothing_in_them_is_replaced() {
        assert_eq!(quoted("--bind=unix:/run/web.sock").unwrap(), "--bind=unix:/run/web.sock");
        assert_eq!(quoted("").unwrap(), "\"\"");
        assert_eq!(quoted("a \"b\" $HOME 5% \\").unwrap(), "\"a \\\"b\\\" $$HOME 5%% \\\\\"");
        assert!(quoted("a\nb").is_err());
        assert!(Unit::of(&Program { name: "a/b".to_owned(), ..web() }, &setting()).is_err());
    }
}
