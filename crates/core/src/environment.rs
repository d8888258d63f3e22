//! The environment that an app's processes see: the same for services, `manage.py`, cron and people.

use std::collections::BTreeMap;
use std::path::Path;

use crate::command::{Secret, Variables};
use crate::config::{Config, Service};
use crate::layout::Layout;
use crate::release::{Generation, ReleaseId};
use crate::revision::Revision;
use crate::service::Program;
use crate::standing;

/// What is taken over from the caller, if it is set there; everything else is not.
pub const INHERITED: [&str; 9] =
    ["HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "TZ", "TERM", "TMPDIR"];

/// What a service takes over from its process manager besides: where it tells that it is up.
pub const HANDED_DOWN: [&str; 1] = ["NOTIFY_SOCKET"];

const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What is computed from the machine's processors, by name.
fn computed(cores: usize) -> [(&'static str, usize); 3] {
    [
        ("CORES", cores),
        ("CORES_MINUS_1", cores.saturating_sub(1).max(1)),
        ("CORES_TIMES_2_PLUS_1", 2 * cores + 1),
    ]
}

/// Tells the instances of a service apart: 1 to N.
const INSTANCE: &str = "INSTANCE";

/// The names of the variables that differ by the machine, or by the instance.
pub fn computed_names() -> impl Iterator<Item = &'static str> {
    computed(1).into_iter().map(|(name, _)| name).chain([INSTANCE])
}

/// The variables of `release`, later ones winning: the system's, those that are computed from
/// `cores`, the env file's, `env:` of `release.yml`, and our own.
pub fn of_release(
    layout: &Layout,
    release: &ReleaseId,
    revision: &Revision,
    config: &Config,
    env_file: &Variables,
    caller: &Variables,
    cores: usize,
) -> Variables {
    let number = |(name, value): (&str, usize)| (name.to_owned(), Secret::new(value.to_string()));
    let mut env: Variables = computed(cores).into_iter().map(number).collect();
    for name in INHERITED {
        if let Some(value) = caller.get(name) {
            env.insert(name.to_owned(), value.clone());
        }
    }
    env.extend(env_file.clone());
    env.extend(filled(&config.env, &env));
    let mut set = |name: &str, value: String| env.insert(name.to_owned(), Secret::new(value));
    let directory = layout.app(release, config);
    let path = caller.get("PATH").map_or(SYSTEM_PATH, Secret::reveal);
    set("PATH", format!("{}:{path}", layout.venv(release).join("bin").display()));
    set("VIRTUAL_ENV", text(&layout.venv(release)));
    // A server that is told to change directory by its PWD would otherwise follow the caller's.
    set("PWD", text(&directory));
    set("RELEASE_ROOT", text(layout.root()));
    set("RELEASE_ID", release.to_string());
    set("RELEASE_REVISION", revision.to_string());
    set("PYTHONUNBUFFERED", "1".to_owned());
    if let Some(django) = &config.django {
        set("DJANGO_SETTINGS_MODULE", django.settings.clone());
    }
    env
}

/// Adds what one service of a generation sees besides: its own variables, which of its instances
/// it is, and where it is to listen.
pub fn add_service(
    env: &mut Variables,
    layout: &Layout,
    generation: &Generation,
    service: &Service,
    instance: Option<u32>,
) {
    let name = service.instance_name(instance);
    env.insert(INSTANCE.to_owned(), Secret::new(instance.unwrap_or(1).to_string()));
    env.extend(filled(&service.env, env));
    let mut set = |name: &str, value: String| env.insert(name.to_owned(), Secret::new(value));
    set("SOCKET", text(&layout.socket(generation, &name)));
    set("RELEASE_SERVICE", service.name.clone());
    set(Program::VARIABLE, generation.program(&name));
}

/// The values that `release.yml` says, with what is computed in its place. Any other dollar sign
/// stands for itself: passwords have some.
fn filled(values: &BTreeMap<String, String>, env: &Variables) -> Variables {
    values.iter().map(|(name, text)| (name.clone(), Secret::new(fill(text, env)))).collect()
}

fn fill(text: &str, env: &Variables) -> String {
    let is_computed = |name: &str| computed_names().any(|known| known == name);
    replace(text, |name| env.get(name).filter(|_| is_computed(name)).map(Secret::reveal))
}

/// `text` with what tells a program apart from the others of its service; other variables as they stand.
pub fn of_program(text: &str, program: &str) -> String {
    let instance =
        Generation::of_instance(program).and_then(|(name, _)| Some(name.rsplit_once('.')?.1.to_owned()));
    replace(text, |name| match name {
        INSTANCE => Some(instance.as_deref().unwrap_or("1")),
        Program::VARIABLE => Some(program),
        _ => None,
    })
}

/// `text` with the variables that have a value.
fn replace<'a>(text: &str, value: impl Fn(&str) -> Option<&'a str>) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        filled.push_str(before);
        match variable(after).and_then(|(name, after)| Some((value(name)?, after))) {
            Some((value, after)) => {
                filled.push_str(value);
                rest = after;
            }
            None => {
                filled.push('$');
                rest = after;
            }
        }
    }
    filled + rest
}

/// What the master of a service that belongs to no release sees of all this: paths that lead through
/// its own link, and the name of no release.
pub fn of_standing(layout: &Layout, config: &Config, release: &Variables, service: &Service) -> Variables {
    let mut env = release.clone();
    env.insert(INSTANCE.to_owned(), Secret::new("1"));
    env.extend(filled(&service.env, &env));
    for name in ["RELEASE_ID", "RELEASE_REVISION"] {
        env.remove(name);
    }
    let app = layout.standing_app(config, &service.name);
    let venv = layout.standing_release(&service.name).join("venv");
    let path = release.get("PATH").map_or(SYSTEM_PATH, Secret::reveal);
    let (_, system) = path.split_once(':').unwrap_or(("", path));
    let mut set = |name: &str, value: String| env.insert(name.to_owned(), Secret::new(value));
    set("PATH", format!("{}:{system}", venv.join("bin").display()));
    set("VIRTUAL_ENV", text(&venv));
    set("PWD", text(&app));
    set("SOCKET", text(&layout.standing_socket(&service.name)));
    set("RELEASE_SERVICE", service.name.clone());
    set(Program::VARIABLE, standing::program(&service.name));
    env
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// The words of a service's command, with `$NAME` and `${NAME}` replaced from `env` (`$$` is a
/// dollar sign). An unknown name is the error.
pub fn expand(command: &str, env: &Variables) -> Result<Vec<String>, String> {
    let words = shell_words::split(command).map_err(|_| "…".to_owned())?;
    words.iter().map(|word| expand_word(word, env)).collect()
}

fn expand_word(word: &str, env: &Variables) -> Result<String, String> {
    let mut expanded = String::new();
    let mut rest = word;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        rest = after;
        if let Some(after) = rest.strip_prefix('$') {
            expanded.push('$');
            rest = after;
            continue;
        }
        let (name, after) = variable(rest).ok_or_else(|| rest.to_owned())?;
        expanded.push_str(env.get(name).ok_or_else(|| name.to_owned())?.reveal());
        rest = after;
    }
    expanded.push_str(rest);
    Ok(expanded)
}

/// The name of a variable at the beginning of `text`, and what follows it.
fn variable(text: &str) -> Option<(&str, &str)> {
    if let Some(braced) = text.strip_prefix('{') {
        return braced.split_once('}');
    }
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_computed_stands_in_values_and_other_dollar_signs_for_themselves() {
        let env = [("CORES", "4"), ("PATH", "/bin")].map(|(n, v)| (n.to_owned(), Secret::new(v))).into();
        assert_eq!(fill("$CORES ${CORES}x $CORESX", &env), "4 4x $CORESX");
        assert_eq!(fill("p$$CORES$PATH ${CORES $", &env), "p$4$PATH ${CORES $");
        assert_eq!(fill("$INSTANCE", &env), "$INSTANCE", "nobody has said which");
    }

    #[test]
    fn what_tells_a_program_apart_is_known_without_its_environment() {
        let (second, only) = ("calc.2-20261120T101500Z-3f2c1a9-g1", "calc-20261120T101500Z-3f2c1a9-g1");
        assert_eq!(of_program("w${INSTANCE}@%h $HOST", second), "w2@%h $HOST");
        assert_eq!(of_program("w$INSTANCE@%h", only), "w1@%h");
        assert_eq!(of_program("$RELEASE_PROGRAM@%h", second), format!("{second}@%h"));
    }

    #[test]
    fn a_command_is_words_with_variables_and_no_shell() {
        let env =
            [("SOCKET", "/srv/a b/web.sock"), ("N", "3")].map(|(n, v)| (n.to_owned(), Secret::new(v))).into();
        assert_eq!(
            expand("gunicorn 'shop wsgi' -w ${N}x --bind unix:$SOCKET $$N; rm", &env).unwrap(),
            ["gunicorn", "shop wsgi", "-w", "3x", "--bind", "unix:/srv/a b/web.sock", "$N;", "rm"]
        );
        assert_eq!(expand("echo $WHAT-ever", &env).unwrap_err(), "WHAT");
    }
}
