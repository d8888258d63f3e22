//! What supervisord reads: its own configuration, and a file for each program.

use std::path::Path;
use std::time::Duration;

use release_core::exit_code;
use release_core::layout::Layout;
use release_core::service::{Climb, Program};

use crate::accounts::INHERITED;
use release_core::host::Account;

/// A text that supervisord's configuration has no way to hold.
#[derive(Debug, thiserror::Error)]
#[error("{what} `{text}` cannot be written in supervisord's configuration")]
pub(super) struct Unwritable {
    what: &'static str,
    text: String,
}

/// The priority of what starts last.
const LAST: u32 = 999;

type Written = Result<String, Unwritable>;

/// supervisord's own configuration. What programs print is for nobody else to read; the files
/// that they make are what they would be anywhere.
pub(super) fn manager(layout: &Layout, as_root: bool) -> Written {
    let home = path("the directory", &layout.supervisor())?;
    if home.contains(['*', '?', '[']) {
        // It would look for the programs' files by a pattern that means something else.
        return Err(Unwritable { what: "the directory", text: home });
    }
    // Without a user supervisord complains when root starts it.
    let user = if as_root { "user=root\n" } else { "" };
    Ok(format!(
        "\
[supervisord]
{user}logfile={log}
logfile_maxbytes=10MB
logfile_backups=3
pidfile={pid}
childlogdir={home}
directory={home}
umask=077
nocleanup=true

[unix_http_server]
file={socket}
chmod=0700

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=unix://{socket}

[include]
files=conf.d/*.conf
",
        log = path("the log", &layout.supervisor_log())?,
        pid = path("the file", &layout.supervisor_pid())?,
        socket = path("the socket", &layout.supervisor_socket())?,
    ))
}

/// What a Rust program that panics exits with.
const PANICKED: u8 = 101;

/// What `release` ends with by itself: all but a signal.
fn own_ends() -> String {
    let codes = (exit_code::DONE..=exit_code::LOCKED).chain([PANICKED]);
    codes.map(|code| code.to_string()).collect::<Vec<_>>().join(",")
}

/// The file of one program, which is a group of its own.
pub(super) fn program(program: &Program) -> Written {
    let runs_once = !program.restart;
    Ok(format!(
        "\
[program:{name}]
command={command}
directory={directory}
autostart=true
autorestart={restart}
exitcodes={codes}
startsecs={trusted_after}
startretries={retries}
priority={order}
stopsignal={signal}
stopwaitsecs={wait}
stopasgroup=false
killasgroup=true
umask=022
redirect_stderr=true
stdout_logfile={log}
stdout_logfile_maxbytes={log_size}
stdout_logfile_backups={log_keep}
{climb}",
        name = name(&program.name)?,
        command = command(&program.command)?,
        directory = path("the directory", &program.directory)?,
        restart = if runs_once { "unexpected" } else { "true" },
        codes = own_ends(),
        // Its broker may be away for a night: supervisord tries again after ever longer pauses.
        retries = if runs_once { 3 } else { 1_000_000 },
        trusted_after = if runs_once { 0 } else { 1 },
        // supervisord orders by it, and takes no larger number.
        order = program.order.min(LAST),
        signal = program.stop_signal,
        wait = program.stop_wait.as_millis().div_ceil(1000),
        climb = climb_line(&program.climb),
        log_size = program.rotation.size.0,
        log_keep = program.rotation.keep,
        // Of all values supervisord expands this one twice.
        log = path("the log", &program.log)?.replace('%', "%%"),
    ))
}

/// The file of one program for a supervisord that may be root's: it runs as `account`, and sees what
/// it would see of a login.
pub(super) fn program_of(program: &Program, account: &Account) -> Written {
    let mut variables = vec![
        ("HOME", account.home.display().to_string()),
        ("USER", account.name.clone()),
        ("LOGNAME", account.name.clone()),
        ("SHELL", account.shell.display().to_string()),
    ];
    let inherited = INHERITED.iter().filter_map(|name| Some((*name, std::env::var(name).ok()?)));
    variables.extend(inherited);
    let written: Result<Vec<String>, Unwritable> =
        variables.iter().map(|(name, text)| Ok(format!("{name}=\"{}\"", variable(text)?))).collect();
    let text = self::program(program)?;
    Ok(format!("{text}user={}\nenvironment={}\n", name(&account.name)?, written?.join(",")))
}

/// A value between double quotes; what would end them has no way to be written.
fn variable(text: &str) -> Written {
    if text.contains(['"', '\\']) {
        return Err(Unwritable { what: "the variable", text: text.to_owned() });
    }
    if text.is_empty() { Ok(String::new()) } else { value("the variable", text) }
}

/// Further signals for the program of this file, each so long after the first.
pub(super) fn climb(conf: &str) -> Climb {
    let line = conf.lines().find_map(|line| line.strip_prefix(CLIMB)).unwrap_or_default();
    let rung = |text: &str| {
        let (millis, signal) = text.split_once(' ')?;
        Some((Duration::from_millis(millis.parse().ok()?), signal.to_owned()))
    };
    line.split(", ").filter_map(rung).collect()
}

/// supervisord knows but one signal: the further ones are a comment that we read again.
const CLIMB: &str = "; then ";

fn climb_line(climb: &[(Duration, String)]) -> String {
    let rungs: Vec<String> =
        climb.iter().map(|(after, signal)| format!("{} {signal}", after.as_millis())).collect();
    if rungs.is_empty() { String::new() } else { format!("{CLIMB}{}\n", rungs.join(", ")) }
}

/// How long supervisord waits for the program of this file to stop.
pub(super) fn patience(conf: &str) -> Option<Duration> {
    let seconds = conf.lines().find_map(|line| line.strip_prefix("stopwaitsecs="))?;
    seconds.parse().ok().map(Duration::from_secs)
}

/// When the program of this file starts, and the later the earlier it ends.
pub(super) fn order(conf: &str) -> u32 {
    let order = conf.lines().find_map(|line| line.strip_prefix("priority="));
    order.and_then(|order| order.parse().ok()).unwrap_or(LAST)
}

fn name(name: &str) -> Result<&str, Unwritable> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let valid = !name.is_empty() && name.chars().all(plain);
    valid.then_some(name).ok_or_else(|| Unwritable { what: "the program's name", text: name.to_owned() })
}

fn path(what: &'static str, path: &Path) -> Written {
    let unwritable = || Unwritable { what, text: path.display().to_string() };
    let text = path.to_str().ok_or_else(unwritable)?;
    value(what, text)
}

fn command(words: &[String]) -> Written {
    let words: Vec<String> = words.iter().map(|word| quote(word)).collect();
    value("the command", &words.join(" "))
}

/// A value that is read back as `text`.
fn value(what: &'static str, text: &str) -> Written {
    let stripped = text.trim() != text;
    let misread = text.chars().zip(text.chars().skip(1)).any(|(one, next)| is_misread(one, next));
    if stripped || misread || text.is_empty() || text.contains(char::is_control) {
        return Err(Unwritable { what, text: text.to_owned() });
    }
    Ok(text.replace('%', "%%"))
}

/// A comment begins here, or else a `%(here)s`, which is replaced even where its `%` is doubled.
fn is_misread(before: char, c: char) -> bool {
    before.is_whitespace() && matches!(c, ';' | '#') || before == '%' && c == '('
}

/// `word` as Python's shlex reads it, with quotes between what would be misread together.
fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    let mut quoted = String::from("'");
    let mut before = '\'';
    for c in word.chars() {
        match c {
            '\'' => quoted.push_str("'\\''"),
            c if is_misread(before, c) => quoted.extend(["''", c.encode_utf8(&mut [0; 4])]),
            c => quoted.push(c),
        }
        before = c;
    }
    quoted.push('\'');
    quoted
}

#[cfg(test)]
mod tests {
    use release_core::config::Manager;

    use super::*;
    use release_core::config::Log;

    fn web() -> Program {
        Program {
            name: "web-20261120T101500Z-3f2c1a9-g1".to_owned(),
            command: ["release", "exec", "--", "gunicorn", "a b"].map(str::to_owned).into(),
            directory: "/srv/shop/releases/20261120T101500Z-3f2c1a9".into(),
            stop_signal: "TERM".to_owned(),
            stop_wait: Duration::from_millis(40_500),
            climb: Vec::new(),
            log: "/srv/shop/.release/log/service/web.log".into(),
            rotation: Log::default(),
            order: 1,
            restart: true,
            notifies: false,
            manager: Manager::Supervisord,
        }
    }

    #[test]
    fn supervisord_is_told_where_everything_is() {
        let layout = Layout::new("/srv/shop");
        let conf = manager(&layout, true).unwrap();
        assert_eq!(
            conf,
            "\
[supervisord]
user=root
logfile=/srv/shop/.release/supervisor/supervisord.log
logfile_maxbytes=10MB
logfile_backups=3
pidfile=/srv/shop/.release/supervisor/supervisord.pid
childlogdir=/srv/shop/.release/supervisor
directory=/srv/shop/.release/supervisor
umask=077
nocleanup=true

[unix_http_server]
file=/srv/shop/.release/supervisor/rpc.sock
chmod=0700

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=unix:///srv/shop/.release/supervisor/rpc.sock

[include]
files=conf.d/*.conf
"
        );
        assert!(!manager(&layout, false).unwrap().contains("user="));
    }

    #[test]
    fn a_program_has_a_file_of_its_own() {
        assert_eq!(
            program(&web()).unwrap(),
            "\
[program:web-20261120T101500Z-3f2c1a9-g1]
command=release exec -- gunicorn 'a b'
directory=/srv/shop/releases/20261120T101500Z-3f2c1a9
autostart=true
autorestart=true
exitcodes=0,1,2,3,4,5,6,101
startsecs=1
startretries=1000000
priority=1
stopsignal=TERM
stopwaitsecs=41
stopasgroup=false
killasgroup=true
umask=022
redirect_stderr=true
stdout_logfile=/srv/shop/.release/log/service/web.log
stdout_logfile_maxbytes=10485760
stdout_logfile_backups=3
"
        );
    }

    #[test]
    fn what_is_to_run_once_is_started_again_after_a_signal_only() {
        let conf = program(&Program { restart: false, ..web() }).unwrap();
        let lines = "\nautorestart=unexpected\nexitcodes=0,1,2,3,4,5,6,101\nstartsecs=0\n";
        assert!(conf.contains(lines), "{conf}");
    }

    #[test]
    fn the_patience_of_a_program_is_read_back() {
        assert_eq!(patience(&program(&web()).unwrap()), Some(Duration::from_secs(41)));
        assert_eq!(patience("[program:web]\n"), None);
    }

    #[test]
    fn the_place_of_a_program_is_read_back() {
        assert_eq!(order(&program(&web()).unwrap()), 1);
        assert_eq!(order(&program(&Program { order: u32::MAX, ..web() }).unwrap()), LAST);
        assert_eq!(order("[program:web]\n"), LAST, "an earlier version wrote it");
    }

    #[test]
    fn percent_signs_are_doubled_once_for_each_time_that_they_are_expanded() {
        let odd = Program {
            command: vec!["printf".to_owned(), "100%".to_owned()],
            directory: "/srv/50%".into(),
            log: "/srv/50%/web.log".into(),
            ..web()
        };
        let conf = program(&odd).unwrap();
        assert!(conf.contains("command=printf 100%%\ndirectory=/srv/50%%\n"), "{conf}");
        assert!(conf.contains("stdout_logfile=/srv/50%%%%/web.log\n"), "{conf}");
    }

    #[test]
    fn words_are_quoted_and_nothing_in_them_is_misread() {
        assert_eq!(quote("--bind=unix:/run/web.sock"), "--bind=unix:/run/web.sock");
        assert_eq!(quote(""), "''");
        assert_eq!(quote("it's"), r"'it'\''s'");
        assert_eq!(quote("a ;b #c"), "'a '';b ''#c'");
        assert_eq!(quote("#"), "'#'");
        assert_eq!(quote("%(here)s"), "'%''(here)s'");
    }

    #[test]
    fn what_cannot_be_written_is_refused() {
        let refused = |changed: Program| program(&changed).unwrap_err().to_string();
        let directory = |text: &str| refused(Program { directory: text.into(), ..web() });
        assert_eq!(
            directory("/srv/a ;b"),
            "the directory `/srv/a ;b` cannot be written in supervisord's configuration"
        );
        directory("/srv/a ");
        directory("/srv/%(here)s");
        refused(Program { command: vec!["a\nb".to_owned()], ..web() });
        refused(Program { name: "web:1".to_owned(), ..web() });
        assert!(manager(&Layout::new("/srv/[a]"), false).is_err());
    }
}
