//! The `services:` of a `release.yml`.

use serde_yaml::Value;

use super::fields::{Fields, Report, name};
use super::log::log;
use super::parse::{PLAIN_NAME, check_words, env, is_plain_name};
use super::process::process;
use super::reload::{self, reload};
use super::stop::stop;
use super::{Handover, Health, Instances, Listen, Service};
use crate::port::Port;
use crate::server::Server;
use crate::worker;

pub(super) fn services(fields: &mut Fields, report: &mut Report<'_>) -> Vec<Service> {
    let mapping: serde_yaml::Mapping = fields.take("services", report).unwrap_or_default();
    let path = fields.at("services");
    let mut services = Vec::new();
    for (key, value) in mapping {
        let Value::String(key) = key else {
            report.add(&path, "services: a service's name should be a text", None);
            continue;
        };
        services.push(service(key, value, &path, report));
    }
    check_ports(&services, &path, report);
    services
}

fn service(key: String, value: Value, path: &[String], report: &mut Report<'_>) -> Service {
    let mut fields = Fields::new(value, [path, std::slice::from_ref(&key)].concat(), report);
    if !is_plain_name(&key) {
        let help = Some(PLAIN_NAME.to_owned());
        report.add(&fields.path, format!("services: `{key}` is not a plain name"), help);
    }
    let command: String = fields.take("command", report).unwrap_or_default();
    check_words(&fields.at("command"), &command, report);
    // A quote that is not closed was told above.
    let words = shell_words::split(&command).unwrap_or_default();
    let server = Server::of(&words);
    let said: Option<Handover> = fields.take("handover", report);
    let handover = said.unwrap_or(Handover::Socket);
    let listens = command.contains("$SOCKET") || command.contains("${SOCKET}") || server.finds_socket(&words);
    let reload = reload(&mut fields, &key, &words, handover, report);
    let listen = fields.take("listen", report);
    if handover.listens() && !command.is_empty() && !listens {
        let help = Some(match server.own_port(&words) {
            Some(port) => held_port(server, port, listen),
            None => format!("let it listen where it is told to: `{}`", server.bind()),
        });
        report.add(&fields.at("command"), format!("services.{key}.command does not use $SOCKET"), help);
    }
    if worker::daemonizes(&words) {
        let help = Some(
            "run each worker in the foreground, as a service of its own: `celery -A shop worker`".to_owned(),
        );
        let what =
            format!("services.{key}.command starts processes in the background, where nobody could end them");
        report.add(&fields.at("command"), what, help);
    }
    if handover == Handover::Overlap && worker::beats(&words) {
        let help =
            "give the beat a service of its own: `beat: {command: celery -A shop beat, handover: replace}`";
        let what = format!("services.{key}: a beat may run only once, and `overlap` runs two for a while");
        report.add(&fields.at("handover"), what, Some(help.to_owned()));
    }
    let usual = Health { protocol: server.protocol(&words), settle: handover.settle(), ..Health::default() };
    let health = health(fields.value("health").unwrap_or_default(), fields.at("health"), usual, report);
    let drain = fields.take("drain", report).unwrap_or(server.drain(&words));
    let stop = fields.value("stop").map(|value| stop(value, fields.at("stop"), report));
    let optional = fields.take("optional", report).unwrap_or(false);
    let env = env(&mut fields, report);
    let instances = fields.take("instances", report).unwrap_or_default();
    // The other file may say what it is of which there are to be several.
    if said.is_some() || !command.is_empty() {
        check_instances(&fields, handover, instances, report);
    }
    let process = process(&mut fields, report);
    if handover == Handover::Reload && (process.user.is_some() || process.group.is_some()) {
        let help = Some("use `handover: socket`, or have that user deploy".to_owned());
        let what = format!("services.{key}: a master that stays runs as the user who deploys");
        report.add(&fields.at("user"), what, help);
    }
    let log = fields.value("log").map(|value| log(value, fields.at("log"), report)).unwrap_or_default();
    fields.finish(report);
    Service {
        name: key,
        command,
        handover,
        reload,
        listen,
        health,
        drain,
        stop,
        optional,
        env,
        instances,
        process,
        log,
    }
}

/// Only workers can run beside their like.
fn check_instances(fields: &Fields, handover: Handover, instances: Instances, report: &mut Report<'_>) {
    let (why, help) = match handover {
        Handover::Overlap => return,
        _ if instances == Instances::default() => return,
        Handover::Socket | Handover::Reload => {
            ("several cannot listen on one socket", "let its server have workers: `gunicorn -w $CORES …`")
        }
        Handover::Replace => {
            ("what is replaced may run only once", "take `instances` away, or use `handover: overlap`")
        }
    };
    let path = fields.at("instances");
    report.add(&path, format!("{}: {why}", name(&path)), Some(help.to_owned()));
}

/// What can be told only once the keys of both files are known.
pub(super) fn check_whole(services: &[Service], report: &mut Report<'_>) {
    for service in services {
        let problem = match service.handover {
            Handover::Reload => reload::problem(service),
            Handover::Socket | Handover::Overlap | Handover::Replace if service.reload.is_some() => {
                Some((".reload: nobody is reloaded", "say `handover: reload` too, or take it away"))
            }
            Handover::Overlap | Handover::Replace if service.listen.is_some() => Some((
                ".listen: nobody listens there",
                "only what listens on $SOCKET can have one: `handover: socket`",
            )),
            _ => None,
        };
        if let Some((what, help)) = problem {
            report.add(&[], format!("services.{}{what}", service.name), Some(help.to_owned()));
        }
    }
}

/// What to write for a server that has a port of its own, which two generations cannot share.
fn held_port(server: Server, port: Listen, listen: Option<Listen>) -> String {
    let bind = server.bind();
    match listen {
        Some(_) => format!("the port is held for it already: let it listen on `{bind}` instead"),
        None => {
            format!("let it listen on `{bind}` instead, and say `listen: {port}`: that port is held for it")
        }
    }
}

/// A port can be had but once.
fn check_ports(services: &[Service], path: &[String], report: &mut Report<'_>) {
    for (index, service) in services.iter().enumerate() {
        let same = |other: &&Service| Port::of(other).is_some() && Port::of(other) == Port::of(service);
        if let Some(first) = services[..index].iter().find(same) {
            let at = [path, &[service.name.clone(), "listen".to_owned()]].concat();
            let what = format!("services.{}.listen is the port of `{}` already", service.name, first.name);
            report.add(&at, what, Some("choose another port".to_owned()));
        }
    }
}

fn health(value: Value, path: Vec<String>, usual: Health, report: &mut Report<'_>) -> Health {
    let mut fields = Fields::new(value, path, report);
    let health = Health {
        protocol: fields.take("protocol", report).unwrap_or(usual.protocol),
        path: fields.take("path", report).unwrap_or(usual.path),
        host: fields.take("host", report).unwrap_or(usual.host),
        timeout: fields.take("timeout", report).unwrap_or(usual.timeout),
        settle: fields.take("settle", report).unwrap_or(usual.settle),
        warm_up: fields.take("warm_up", report).unwrap_or(usual.warm_up),
    };
    if !health.path.starts_with('/') || health.path.contains(|c: char| c.is_whitespace() || c.is_control()) {
        let help = Some("write it like `/healthz`".to_owned());
        report.add(
            &fields.at("path"),
            format!("{}: `{}` is no path of a URL", name(&fields.at("path")), health.path),
            help,
        );
    }
    fields.finish(report);
    health
}
