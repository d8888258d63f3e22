use super::*;

const PROGRAM: &str = "calc-20261120T101500Z-3f2c1a9-g2";

fn words(command: &str) -> Vec<String> {
    shell_words::split(command).unwrap()
}

fn first(command: &str, handover: Handover) -> Rung {
    usual_stop(command, handover).0.remove(0)
}

#[test]
fn a_worker_is_asked_in_the_way_that_lets_it_finish() {
    for (command, signal) in [
        ("celery -A shop worker -Q calc", "TERM"),
        ("python -m celery -A shop worker", "TERM"),
        ("python manage.py run_huey", "INT"),
        ("nice -n 5 ionice -c 3 python -u manage.py run_huey -w 4", "INT"),
        ("venv/bin/huey_consumer.py shop.huey", "INT"),
        ("huey_consumer shop.huey -k process", "INT"),
        ("python -m huey.bin.huey_consumer shop.huey", "INT"),
        ("python manage.py djangohuey --queue mails", "INT"),
        ("python manage.py run_huey -g TERM", "TERM"),
        ("python manage.py run_huey --graceful-signal=TERM", "TERM"),
        ("rq worker high low", "TERM"),
        ("python -m rq.cli worker-pool high", "TERM"),
        ("python manage.py rqworker default", "TERM"),
        ("dramatiq shop.tasks", "TERM"),
        ("python manage.py rundramatiq", "TERM"),
        ("python manage.py qcluster", "TERM"),
        ("python manage.py kafka_consumer --debug", "TERM"),
    ] {
        assert_eq!(first(command, Handover::Overlap).signal, signal, "{command}");
        assert_eq!(first(command, Handover::Overlap).wait, Wait::seconds(600));
    }
    assert_eq!(first("celery -A shop beat", Handover::Replace).wait, Wait::seconds(40));
    assert_eq!(first("gunicorn shop.wsgi", Handover::Socket).wait, Wait::seconds(40));
    assert_eq!(first("python manage.py run_huey", Handover::Replace).wait, Wait::seconds(600));
}

#[test]
fn a_celery_node_has_a_name_of_its_own_in_each_generation() {
    for (command, named) in [
        ("celery -A shop worker -Q calc", "celery -A shop worker -n PROGRAM@%h -Q calc"),
        ("celery -A shop worker -n calc@%h -c 2", "celery -A shop worker -n calc-PROGRAM@%h -c 2"),
        ("celery -A shop worker -n calc.%h", "celery -A shop worker -n celery-PROGRAM@calc.%h"),
        ("celery -A shop worker -ncalc@%h", "celery -A shop worker -n calc-PROGRAM@%h"),
        (
            "nice python -m celery worker --hostname=a@b -c 2",
            "nice python -m celery worker -n a-PROGRAM@b -c 2",
        ),
        ("celery -A worker worker --hostname a@b", "celery -A worker worker -n a-PROGRAM@b"),
        ("celery -A shop worker -n PROGRAM@x", "celery -A shop worker -n PROGRAM@x"),
    ] {
        let given = words(&command.replace("PROGRAM", PROGRAM));
        let celery = Celery::of(&given).unwrap();
        assert_eq!(celery.named(given, PROGRAM).join(" "), named.replace("PROGRAM", PROGRAM));
    }
}

#[test]
fn what_is_no_celery_worker_is_left_alone() {
    for command in ["celery -A shop beat", "celery", "celery -A", "rq worker", "celery -A worker flower"] {
        assert_eq!(Celery::of(&words(command)), None, "{command}");
    }
    let global = Celery::of(&words("celery --no-color -A shop --workdir=/x worker -c 2")).unwrap().global;
    assert_eq!(global, ["--no-color", "-A", "shop", "--workdir=/x"]);
}

#[test]
fn a_worker_of_rq_is_known_with_what_says_where_its_redis_is() {
    let parts = |command| {
        let rq = Rq::of(&words(command))?;
        Some((rq.project, rq.command, rq.arguments.join(" ")))
    };
    for (command, project, name, arguments) in [
        ("rq worker high low --url $BROKER_URL", None, "worker", "high low --url $BROKER_URL"),
        ("nice -n 5 venv/bin/rq worker-pool -n 4", None, "worker-pool", "-n 4"),
        ("python -m rq.cli worker -c settings", None, "worker", "-c settings"),
        ("rqworker high", None, "worker", "high"),
        ("nice rqworker high", None, "worker", "high"),
        ("env PYTHONPATH=/srv/rq rq worker", None, "worker", ""),
        ("uv run --with rq rq worker high", None, "worker", "high"),
        ("python -u backend/manage.py rqworker high", Some("backend/manage.py"), "rqworker", "high"),
        (
            "./manage.py rqworker-pool --num-workers 2",
            Some("./manage.py"),
            "rqworker-pool",
            "--num-workers 2",
        ),
        ("django-admin rqworker", Some("django-admin"), "rqworker", ""),
    ] {
        let wanted = (project.map(str::to_owned), name.to_owned(), arguments.to_owned());
        assert_eq!(parts(command), Some(wanted), "{command}");
    }
    for command in ["rq info", "rq", "rq suspend", "python manage.py rqstats", "celery -A shop worker"] {
        assert_eq!(parts(command), None, "{command}");
    }
}

#[test]
fn what_leaves_its_processes_to_themselves_is_known() {
    let says = |command| daemonizes(&words(command));
    assert!(says("celery -A shop multi start w1 w2"));
    assert!(says("celery multi start w1 -A shop"));
    assert!(says("celery -A shop worker -c 2 --detach"));
    assert!(says("python -m celery -A shop beat -D"));
    assert!(!says("celery -A multi worker"));
    assert!(!says("celery -A shop worker"));
    assert!(!says("python manage.py multi"));
}

#[test]
fn what_ticks_is_known() {
    let says = |command| beats(&words(command));
    for command in ["celery -A shop beat -s /x", "celery -A shop worker -B", "celery worker -A shop --beat"] {
        assert!(says(command), "{command}");
    }
    for command in ["celery -A shop worker -b redis://x", "celery -A beat worker", "python manage.py beat"] {
        assert!(!says(command), "{command}");
    }
}

#[test]
fn dramatiq_alone_fetches_until_it_ends() {
    let fetches = |command: &str| {
        let service = Service { command: command.to_owned(), ..crate::config::tests::worker() };
        service.fetches_until_it_ends()
    };
    for command in
        ["python manage.py rundramatiq", "nice venv/bin/dramatiq shop.tasks", "dramatiq-gevent shop"]
    {
        assert!(fetches(command), "{command}");
    }
    assert!(!fetches("celery -A dramatiq.tasks worker") && !fetches("python manage.py qcluster"));
}

#[test]
fn a_child_of_rq_finishes_its_task_when_its_master_was_killed() {
    let ends = |command: &str| {
        let service = Service { command: command.to_owned(), ..crate::config::tests::worker() };
        service.leaves_no_orphan()
    };
    assert!(ends("python manage.py rqworker default") && ends("rq worker high"));
    for command in
        ["rq worker --with-scheduler", "rq worker-pool -n 2", "dramatiq shop", "python manage.py poll"]
    {
        assert!(!ends(command), "{command}");
    }
}

#[test]
fn the_tasks_left_are_told_where_each_has_a_process() {
    let left = |command: &str, children| {
        let service = Service { command: command.to_owned(), ..crate::config::tests::worker() };
        service.tasks_left(children)
    };
    assert_eq!(left("celery -A shop worker -c 4", 3), Some(3));
    assert_eq!(left("celery -A shop worker --pool=threads", 1), None);
    assert_eq!(left("celery -A shop worker -P gevent", 1), None);
    assert_eq!(left("python manage.py rqworker --with-scheduler", 2), Some(1));
    assert_eq!(left("rq worker high", 0), Some(0));
    assert_eq!(left("rq worker-pool high -n 3", 3), None);
    assert_eq!(left("python manage.py run_huey", 1), None);
}

#[test]
fn kill_is_the_last_of_several_signals_and_what_a_manager_does_after_one() {
    let stopped_by = |rungs: &[(&str, u64)]| {
        let rung =
            |(signal, wait): &(&str, u64)| Rung { signal: (*signal).to_owned(), wait: Wait::seconds(*wait) };
        let stop = Stop(rungs.iter().map(rung).collect());
        let service = Service { stop: Some(stop), ..crate::config::tests::worker() };
        let climb = service.climb();
        let climb = climb.iter().map(|(at, signal)| format!("{signal} {}", at.as_secs()));
        (climb.collect::<Vec<_>>().join(", "), service.killed_after().as_secs())
    };
    let ladder = [("TERM", 600), ("INT", 30), ("HUP", 5)];
    assert_eq!(stopped_by(&ladder), ("INT 600, HUP 630, KILL 635".to_owned(), 665));
    assert_eq!(stopped_by(&ladder[..1]), (String::new(), 600));
}
