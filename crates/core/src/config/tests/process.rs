//! As whom a service runs, and within what bounds.

use super::{MINIMAL, app};
use crate::config::{Config, Instances, ProcessSettings};

#[test]
fn a_variable_that_no_environment_can_hold_is_refused() {
    let problems = app(&format!("{MINIMAL}env: {{A: \"x\\0y\", B: \"two\\nlines\"}}\n")).unwrap_err();
    assert_eq!(problems, ["release.yml:5: env.A holds a NUL, which no environment can"]);
}

#[test]
fn a_service_says_as_whom_and_within_what_bounds_it_runs() {
    let text = "app: a\nservices:\n  w:\n    command: x\n    handover: overlap\n    instances: $CORES\n    \
                user: shop\n    group: www-data\n    umask: \"027\"\n    nice: 5\n    \
                limits: {nofile: 4096, core: 0, memory: 512M, stack: unlimited}\n    log: {size: 1g, keep: 1}\n";
    let config = app(text).unwrap();
    let service = &config.services[0];
    assert_eq!((service.instances, service.instances_on(2)), (Instances::Cores, vec![Some(1), Some(2)]));
    assert_eq!((service.instances_on(1), service.instance_name(None)), (vec![None], "w".to_owned()));
    let ProcessSettings { user, group, umask, nice, limits } = &service.process;
    assert_eq!((user.as_deref(), group.as_deref(), *nice), (Some("shop"), Some("www-data"), Some(5)));
    assert_eq!(umask.map(|umask| umask.0), Some(0o027));
    let limits: Vec<String> = limits.iter().map(|(name, bound)| format!("{} {bound}", name.name())).collect();
    assert_eq!(limits, ["nofile 4k", "core 0", "memory 512m", "stack unlimited"]);
    assert_eq!((service.log.size.0, service.log.keep), (1 << 30, 1));
    let stored = serde_json::to_string(&config).unwrap();
    assert_eq!(serde_json::from_str::<Config>(&stored).unwrap(), config);
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let problem = |text: &str| {
        let problems =
            app(&format!("app: a\nservices: {{w: {{command: x $SOCKET, {text}}}}}\n")).unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
        problems[0].clone()
    };
    for (text, expected) in [
        (
            "instances: 2",
            "services.w.instances: several cannot listen on one socket (help: let its server have workers",
        ),
        (
            "handover: replace, instances: 2",
            "services.w.instances: what is replaced may run only once (help: take",
        ),
        (
            "handover: reload, reload: HUP, instances: 2",
            "services.w.instances: several cannot listen on one socket (help: let its server have workers",
        ),
        (
            "handover: reload, reload: HUP, user: shop",
            "services.w: a master that stays runs as the user who deploys (help: use `handover: socket`",
        ),
        (
            "handover: overlap, instances: 0",
            "services.w.instances: expected a number from 1 to 99, or $CORES",
        ),
        (
            "handover: overlap, instances: $N",
            "services.w.instances: expected a number from 1 to 99, or $CORES",
        ),
        ("umask: 27", "services.w.umask: expected three digits from 0 to 7 in quotes, such as \"027\""),
        ("umask: \"0999\"", "services.w.umask: expected three digits"),
        ("nice: 20", "services.w.nice is not from -20 to 19 (help: use 0 to 19"),
        ("user: \"a:b\"", "services.w.user: `a:b` is no name of a user"),
        ("limits: {nofiles: 5}", "unknown key `services.w.limits.nofiles` (help: did you mean `nofile`?)"),
        (
            "limits: {memory: much}",
            "services.w.limits.memory: expected a number, a size such as 512M, or unlimited",
        ),
        ("log: {size: 1k}", "a log of 1k holds too little: 16k at least"),
        ("log: {keep: 5000}", "5000 old logs are too many"),
    ] {
        let found = problem(text);
        assert!(found.starts_with(&format!("release.yml:2: {expected}")), "{found}");
    }
}
