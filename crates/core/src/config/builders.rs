//! The `python:` and `frontend:` of a `release.yml`.

use serde_yaml::Value;

use super::directory::tidy;
use super::fields::{Fields, Report, name};
use super::parse::{check_inside, check_path, check_words};
use super::paths::{check_output, normal, problem_inside};
use super::{Building, Frontend, Python, Size};

/// With less not even npm or pip starts.
const LEAST_MEMORY: Size = Size(64 << 20);

pub(super) fn building(value: Value, report: &mut Report<'_>) -> Building {
    let mut fields = Fields::new(value, vec!["build".to_owned()], report);
    let building = Building { nice: nice(&mut fields, report), memory: memory(&mut fields, report) };
    fields.finish(report);
    building
}

fn nice(fields: &mut Fields, report: &mut Report<'_>) -> Option<u8> {
    let given = fields.value("nice")?;
    let nice = given.as_u64().and_then(|nice| nice.try_into().ok()).filter(|nice| (1..=19).contains(nice));
    if nice.is_none() {
        let help = Some("1 stands back a little, 19 as far as can be: `build: {nice: 10}`".to_owned());
        report.add(&fields.at("nice"), format!("build.nice: {} is not from 1 to 19", text(&given)), help);
    }
    nice
}

fn memory(fields: &mut Fields, report: &mut Report<'_>) -> Option<Size> {
    let given = fields.value("memory")?;
    let memory: Option<Size> = serde_yaml::from_value(given.clone()).ok();
    let wrong = match memory {
        Some(memory) if memory >= LEAST_MEMORY => return Some(memory),
        Some(_) => "is too little to build",
        None => "is no size",
    };
    let help = Some("each process may take so much: `build: {memory: 1g}`".to_owned());
    report.add(&fields.at("memory"), format!("build.memory: {} {wrong}", text(&given)), help);
    None
}

fn text(value: &Value) -> String {
    serde_yaml::to_string(value).unwrap_or_default().trim().to_owned()
}

pub(super) fn python(value: Value, report: &mut Report<'_>) -> Python {
    let mut fields = Fields::new(value, vec!["python".to_owned()], report);
    let python = Python {
        version: fields.take::<Value>("version", report).and_then(|value| version(&fields, &value, report)),
        installer: fields.take("installer", report).unwrap_or_default(),
        requirements: fields.take("requirements", report),
        groups: fields.take("groups", report).unwrap_or_default(),
        extras: fields.take("extras", report).unwrap_or_default(),
        packages: fields.take("packages", report).unwrap_or_default(),
    };
    for path in python.requirements.iter().flatten() {
        check_inside(&fields.at("requirements"), path, report);
    }
    for (key, names) in [("groups", &python.groups), ("extras", &python.extras)] {
        check_names(&fields.at(key), names, report);
    }
    check_packages(&fields.at("packages"), &python.packages, report);
    fields.finish(report);
    python
}

fn version(fields: &Fields, value: &Value, report: &mut Report<'_>) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        // YAML reads an unquoted 3.10 as the number 3.1: no guess could be right.
        _ => {
            let help = Some("put it in quotes: `version: \"3.11\"`".to_owned());
            report.add(&fields.at("version"), "python.version is a number, and 3.10 would become 3.1", help);
            return None;
        }
    };
    let valid = !text.is_empty()
        && text.split('.').all(|part| !part.is_empty() && part.bytes().all(|c| c.is_ascii_digit()));
    if !valid {
        let help = Some("write it like `\"3.11\"`".to_owned());
        report.add(&fields.at("version"), format!("python.version: `{text}` is no version"), help);
    }
    Some(text)
}

/// Names go into one argument, by commas or spaces.
fn check_names(at: &[String], names: &[String], report: &mut Report<'_>) {
    let plain = |c: char| c.is_ascii_alphanumeric() || ['-', '_', '.'].contains(&c);
    for wrong in
        names.iter().filter(|text| text.is_empty() || text.starts_with('-') || !text.chars().all(plain))
    {
        let help = Some("use letters, digits, `-`, `_` and `.`".to_owned());
        report.add(at, format!("{}: `{wrong}` is not a plain name", name(at)), help);
    }
}

fn check_packages(at: &[String], packages: &[String], report: &mut Report<'_>) {
    for wrong in packages.iter().filter(|text| text.trim().is_empty() || text.starts_with('-')) {
        let help = Some(
            "name packages, `git+https://…` or paths; options belong into a requirements file".to_owned(),
        );
        report.add(at, format!("{}: `{wrong}` names no package", name(at)), help);
    }
}

pub(super) fn frontends(fields: &mut Fields, report: &mut Report<'_>) -> Option<Vec<Frontend>> {
    let items: Vec<Value> = fields.take("frontend", report)?;
    let path = fields.at("frontend");
    let at = |index: usize| [path.clone(), vec![index.to_string()]].concat();
    Some(items.into_iter().enumerate().map(|(index, value)| frontend(value, at(index), report)).collect())
}

fn frontend(value: Value, path: Vec<String>, report: &mut Report<'_>) -> Frontend {
    let usual = Frontend::usual(".");
    let mut fields = Fields::new(value, path, report);
    let given: String = fields.take("directory", report).unwrap_or(usual.directory);
    check_inside(&fields.path, &given, report);
    let frontend = Frontend {
        directory: tidy(&normal(&format!("{}/{given}", report.directory)).unwrap_or_default()),
        install: fields.take("install", report),
        build: fields.take("build", report),
        inputs: fields.take("inputs", report).unwrap_or_default(),
        outputs: fields.take("outputs", report).unwrap_or(usual.outputs),
        prebuilt: fields.take("prebuilt", report),
    };
    for (key, command) in [("install", &frontend.install), ("build", &frontend.build)] {
        let Some(command) = command else { continue };
        check_words(&fields.at(key), command, report);
        if frontend.prebuilt.is_some() {
            let help = Some(format!("take `{key}` or `prebuilt` away"));
            report.add(
                &fields.at(key),
                format!("{}: what is prebuilt is not built", name(&fields.at(key))),
                help,
            );
        }
    }
    if let Some(prebuilt) = &frontend.prebuilt {
        check_path(&fields.at("prebuilt"), prebuilt, report);
    }
    for input in &frontend.inputs {
        if let Some(wrong) = problem_inside(&frontend.directory, input) {
            report.add(
                &fields.at("inputs"),
                format!("{}: `{input}` {wrong}", name(&fields.at("inputs"))),
                None,
            );
        }
    }
    for output in &frontend.outputs {
        check_output(&fields.path, &frontend, output, report);
    }
    fields.finish(report);
    frontend
}
