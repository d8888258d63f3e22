//! Reads `release.yml` files into a [`Config`], with every problem at once.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_yaml::Value;

use super::assets::keep_assets;
use super::builders::{building, frontends, python};
use super::cron::cron;
use super::directory::{TOP, directory, directory_of};
use super::fields::{Fields, Report, name};
use super::manager::manager;
use super::paths::{check_linked, clean, problem, problem_inside};
use super::proxy::{proxy, serving};
use super::services::{check_whole, services};
use super::{Config, Django, Problem, Problems, Verify, Wait};
use crate::env_file::is_name;

/// A file: its name, as people know it, and what it holds.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// Such as `release.yml`, or `/srv/shop/release.yml`.
    pub name: &'a str,
    /// What it holds.
    pub text: &'a str,
}

/// The effective configuration: `app` (from the revision) overridden by `server`, key by key.
///
/// Without an app's file the server's must say it all.
pub fn parse(app: Option<Source<'_>>, server: Option<Source<'_>>) -> Result<Config, Problems> {
    let directory = server.map_or_else(|| TOP.to_owned(), directory_of);
    let mut problems = Vec::new();
    let mut merged = Value::Null;
    for (source, is_server) in [(app, false), (server, true)] {
        let Some(source) = source else { continue };
        let mut report = Report::new(source.name, source.text, &directory);
        if let Some(value) = document(&mut report) {
            if !is_server {
                refuse_places(&value, &mut report);
            }
            config(value.clone(), &mut report);
            replace_manager(&mut merged, &value);
            // A file of comments alone says nothing.
            if !value.is_null() {
                merge(&mut merged, value);
            }
        }
        report.problems.sort_by_key(|problem| problem.line.unwrap_or(usize::MAX));
        problems.append(&mut report.problems);
    }
    if !problems.is_empty() {
        return Err(Problems(problems));
    }
    let file = app.or(server).map_or("release.yml", |source| source.name);
    let mut report = Report::new(file, "", &directory);
    let config = config(merged, &mut report);
    required(&config, &mut report);
    // Each file is sound by itself: what is found now is a conflict between the two.
    if report.problems.is_empty() { Ok(config) } else { Err(Problems(report.problems)) }
}

/// The `repository` and `branch` of the server's file, which say what to fetch before the app's
/// own file can be read.
pub fn parse_origin(server: Option<Source<'_>>) -> Result<(Option<String>, Option<String>), Problems> {
    let Some(source) = server else { return Ok((None, None)) };
    let mut report = Report::new(source.name, source.text, TOP);
    let value = document(&mut report).unwrap_or_default();
    config(value.clone(), &mut report);
    if !report.problems.is_empty() {
        return Err(Problems(report.problems));
    }
    let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    Ok((text("repository"), text("branch")))
}

/// Where the server's file puts the cache, even if something else in it is wrong: what runs
/// and what is told needs it too.
pub fn cache_of(server: Source<'_>) -> Option<PathBuf> {
    let value: Value = serde_yaml::from_str(server.text).ok()?;
    let path = value.get("cache").and_then(Value::as_str)?;
    place_problem(path).is_none().then(|| PathBuf::from(path))
}

/// What says where something is on a server, or where this file is, has no place in a repository.
fn refuse_places(value: &Value, report: &mut Report<'_>) {
    let places = [
        ("cache", "cache: is a matter of each server"),
        ("directory", "directory: says where this very file is, so it cannot stand in it"),
    ];
    for (key, what) in places.into_iter().filter(|(key, _)| value.get(key).is_some()) {
        let help = "write it into the release.yml at the root of the server".to_owned();
        report.add(&[key.to_owned()], what, Some(help));
    }
}

fn cache(fields: &mut Fields, report: &mut Report<'_>) -> Option<PathBuf> {
    let path: String = fields.take("cache", report)?;
    if let Some(wrong) = place_problem(&path) {
        let help = Some("name a directory of the server: `cache: /srv/cache`".to_owned());
        report.add(&fields.at("cache"), format!("cache: `{path}` {wrong}"), help);
    }
    Some(path.into())
}

/// What is wrong with a path of the server; `None` if nothing is.
fn place_problem(path: &str) -> Option<&'static str> {
    if !path.starts_with('/') {
        Some("does not begin with `/`")
    } else if path.contains('\0') || path.split('/').any(|part| part == "..") {
        Some("is no plain path")
    } else {
        None
    }
}

fn document(report: &mut Report<'_>) -> Option<Value> {
    match serde_yaml::from_str(report.text) {
        Ok(value) => Some(value),
        Err(error) => {
            report.problems.push(Problem {
                file: report.file.to_owned(),
                line: error.location().map(|at| at.line()),
                what: format!("this is no valid YAML: {error}"),
                help: quotes(&error.to_string()),
            });
            None
        }
    }
}

/// Half of one manager and half of another is none.
fn replace_manager(under: &mut Value, over: &Value) {
    if let Value::Mapping(under) = under
        && over.get("manager").is_some()
    {
        under.remove("manager");
    }
}

/// Times such as `@daily` and `*/5 * * * *` begin with what YAML takes for something else.
fn quotes(error: &str) -> Option<String> {
    let signs = ["cannot start any token", "anchor", "alias"];
    let help = "a text that begins with `@`, `*` or `&` belongs in quotes: `at: \"@daily\"`";
    signs.iter().any(|sign| error.contains(sign)).then(|| help.to_owned())
}

fn merge(under: &mut Value, over: Value) {
    match (under, over) {
        (Value::Mapping(under), Value::Mapping(over)) => {
            for (key, value) in over {
                match under.get_mut(&key) {
                    Some(existing) => merge(existing, value),
                    None => drop(under.insert(key, value)),
                }
            }
        }
        (under, over) => *under = over,
    }
}

fn config(value: Value, report: &mut Report<'_>) -> Config {
    let default = Config::default();
    let mut fields = Fields::new(value, Vec::new(), report);
    let config = Config {
        app: app(&mut fields, report),
        repository: fields.take("repository", report),
        branch: fields.take("branch", report).unwrap_or(default.branch),
        directory: directory(&mut fields, report).unwrap_or(default.directory),
        cache: cache(&mut fields, report),
        keep: keep(&mut fields, report).unwrap_or(default.keep),
        warm: fields.take("warm", report).map_or(default.warm, |Minutes(wait)| wait),
        python: fields.value("python").map(|value| python(value, report)).unwrap_or_default(),
        build: fields.value("build").map(|value| building(value, report)).unwrap_or_default(),
        frontend: frontends(&mut fields, report),
        django: fields.value("django").and_then(|value| django(value, report)),
        linked_dirs: fields.take("linked_dirs", report).unwrap_or_default(),
        linked_files: fields.take("linked_files", report).unwrap_or_default(),
        env: env(&mut fields, report),
        env_file: fields.take("env_file", report).unwrap_or(default.env_file),
        manager: manager(&mut fields, report),
        services: services(&mut fields, report),
        cron: cron(&mut fields, report),
        cron_by: fields.take("cron_by", report),
        verify: fields.value("verify").and_then(|value| verify(value, report)),
        static_files: serving(&mut fields, "static", ["/static/", "static_root"], report),
        keep_assets: keep_assets(&mut fields, report),
        media: serving(&mut fields, "media", ["/media/", "media"], report),
        proxy: fields.value("proxy").map(|value| proxy(value, report)).unwrap_or_default(),
    };
    check_linked(&config.linked_dirs, &config.linked_files, report);
    check_path(&fields.at("env_file"), &config.env_file, report);
    fields.finish(report);
    Config {
        linked_dirs: config.linked_dirs.iter().map(|path| clean(path)).collect(),
        linked_files: config.linked_files.iter().map(|path| clean(path)).collect(),
        ..config
    }
}

/// `warm: 10` counts minutes; `warm: 90s` says its unit.
struct Minutes(Wait);

impl<'de> serde::Deserialize<'de> for Minutes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        if let Some(minutes) = value.as_u64() {
            return Ok(Self(Wait::seconds(minutes * 60)));
        }
        serde_yaml::from_value(value).map(Self).map_err(serde::de::Error::custom)
    }
}

fn required(config: &Config, report: &mut Report<'_>) {
    if config.app.is_empty() {
        report.add(&[], "`app` is missing", Some("add the app's name: `app: shop`".to_owned()));
    }
    if config.django.as_ref().is_some_and(|django| django.settings.is_empty()) {
        let help = Some("name the settings module: `django: {settings: shop.settings}`".to_owned());
        report.add(&["django".to_owned()], "django: `settings` is missing", help);
    }
    for service in config.services.iter().filter(|service| service.command.is_empty()) {
        let help = "say what it runs: `command: gunicorn shop.wsgi --bind unix:$SOCKET`".to_owned();
        report.add(&[], format!("services.{}: `command` is missing", service.name), Some(help));
    }
    check_whole(&config.services, report);
}

fn app(fields: &mut Fields, report: &mut Report<'_>) -> String {
    let app: String = fields.take("app", report).unwrap_or_default();
    if !app.is_empty() && !is_plain_name(&app) {
        let help = Some(PLAIN_NAME.to_owned());
        report.add(&fields.at("app"), format!("app: `{app}` is not a plain name"), help);
    }
    app
}

fn keep(fields: &mut Fields, report: &mut Report<'_>) -> Option<usize> {
    let keep = fields.take("keep", report)?;
    if keep < 2 {
        let help = Some("keep at least 2: the active release and the one to go back to".to_owned());
        report.add(&fields.at("keep"), format!("keep: {keep} leaves nothing to go back to"), help);
    }
    Some(keep)
}

fn django(value: Value, report: &mut Report<'_>) -> Option<Django> {
    let mut fields = Fields::new(value, vec!["django".to_owned()], report);
    let settings: Option<String> = fields.take("settings", report);
    let directory: String = fields.take("directory", report).unwrap_or_else(|| ".".to_owned());
    let collectstatic = fields.take("collectstatic", report);
    let migrate = fields.take("migrate", report).unwrap_or(true);
    check_path(&fields.at("directory"), &directory, report);
    fields.finish(report);
    // The other file may say it: whether it is missing is known once both are merged.
    Some(Django { settings: settings.unwrap_or_default(), directory, collectstatic, migrate })
}

pub(super) fn env(fields: &mut Fields, report: &mut Report<'_>) -> BTreeMap<String, String> {
    let values: BTreeMap<String, Value> = fields.take("env", report).unwrap_or_default();
    let path = fields.at("env");
    let mut env = BTreeMap::new();
    for (key, value) in values {
        let at = [path.clone(), vec![key.clone()]].concat();
        if !is_name(&key) {
            report.add(&at, format!("{}: `{key}` cannot be the name of a variable", name(&path)), None);
        }
        match value {
            Value::String(text) if text.contains('\0') => {
                report.add(&at, format!("{} holds a NUL, which no environment can", name(&at)), None);
            }
            Value::String(text) => drop(env.insert(key, text)),
            Value::Number(number) => drop(env.insert(key, number.to_string())),
            Value::Bool(truth) => drop(env.insert(key, truth.to_string())),
            _ => report.add(&at, format!("{} should be a text", name(&at)), None),
        }
    }
    env
}

fn verify(value: Value, report: &mut Report<'_>) -> Option<Verify> {
    let mut fields = Fields::new(value, vec!["verify".to_owned()], report);
    let url: Option<String> = fields.take("url", report);
    let timeout = fields.take("timeout", report).unwrap_or(Wait::seconds(10));
    match &url {
        Some(url) if url.starts_with("http://") && url.len() > 7 => {}
        Some(_) => report.add(
            &fields.at("url"),
            "verify.url should begin with http://",
            Some("ask the proxy on this machine: `url: http://127.0.0.1/healthz`".to_owned()),
        ),
        None => report.add(&fields.path, "verify: `url` is missing", None),
    }
    fields.finish(report);
    Some(Verify { url: url?, timeout })
}

pub(super) fn check_path(at: &[String], path: &str, report: &mut Report<'_>) {
    if let Some(wrong) = problem(path) {
        report.add(at, format!("{}: `{path}` {wrong}", name(at)), None);
    }
}

/// Checks a path of the app that may lead out of its directory, but not out of the release.
pub(super) fn check_inside(at: &[String], path: &str, report: &mut Report<'_>) {
    if let Some(wrong) = problem_inside(report.directory, path) {
        report.add(at, format!("{}: `{path}` {wrong}", name(at)), None);
    }
}

pub(super) fn check_words(at: &[String], command: &str, report: &mut Report<'_>) {
    if shell_words::split(command).is_err() {
        report.add(at, format!("{}: a quote is not closed", name(at)), None);
    }
}

/// What a plain name is, for people.
pub(super) const PLAIN_NAME: &str =
    "begin with a letter; use lowercase letters, digits, `-` and `_`, at most 32 of them";

pub(super) fn is_plain_name(text: &str) -> bool {
    let plain = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-' || c == b'_';
    text.bytes().all(plain) && text.bytes().next().is_some_and(|c| c.is_ascii_lowercase()) && text.len() <= 32
}
