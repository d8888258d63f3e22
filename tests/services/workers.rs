//! Queue workers by `overlap` and a beat by `replace`: no task lost, never two beats.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process};

use crate::broker::{LIMIT, Redis, free_port, switches};
use crate::celery;
use crate::queues::{family, master};
use crate::rabbitmq::RabbitMq;
use crate::site::Site;
use crate::support::{Client, processes, wait_until};

#[test]
fn celery() {
    let redis = Redis::start();
    switch_celery(&redis, &redis.url());
}

#[test]
fn celery_over_amqp() {
    if let Some(rabbitmq) = RabbitMq::if_all() {
        switch_celery(&Redis::start(), &rabbitmq.url());
    }
}

/// Switches under load; what was done stands in `redis`, and the tasks come by `broker`.
fn switch_celery(redis: &Redis, broker: &str) {
    let site = Site::of("workers");
    let variables = format!("BROKER_URL={broker}\nSTORE_URL={}\n", redis.url());
    fs::write(site.root.join("shared/.env"), variables).unwrap();
    println!("celery: {}", celery::switch_all(&site, redis, switches()));
    site.stop();
}

#[test]
fn a_worker_that_finishes_is_shown_and_outlives_release() {
    let redis = Redis::start();
    let site = Site::of("workers");
    fs::write(site.root.join("shared/.env"), format!("BROKER_URL={}\n", redis.url())).unwrap();
    site.switch();
    assert_eq!(Client::socket(&site.socket()).get("/long?key=long&seconds=25").unwrap().status, 200);
    wait_until("the task has begun", LIMIT, || !redis.list("begun").is_empty());
    site.commit("revision.py", "CODE = 1\n");
    let deploy = site.start(&["deploy", "main"]);
    wait_until("the old worker is shown as draining", LIMIT, || draining(&site).is_some());
    deploy.signal(rustix::process::Signal::KILL);
    deploy.finish();
    let told = draining(&site).expect("nobody ended it");
    assert_eq!((&told["tasks_left"], told["until"].is_string()), (&1.into(), true), "{told}");
    site.release(&["status"])
        .exits(0)
        .says("slow of")
        .says(": draining since")
        .says(", 1 task left, killed at");
    wait_until("the task is done", LIMIT, || redis.list("done").contains(&"long 0".to_owned()));
    site.release(&["recover"]).exits(0);
    wait_until("nothing drains any more", LIMIT, || draining(&site).is_none());
    site.stop();
}

/// What `status` says of the old worker `slow` while it finishes its task.
fn draining(site: &Site) -> Option<serde_json::Value> {
    let status = site.release(&["status", "--json"]).exits(0).json();
    let services = status["services"].as_array().unwrap();
    services
        .iter()
        .find(|one| one["name"] == "slow" && !one["draining"].is_null())
        .map(|one| one["draining"].clone())
}

/// A consumer that ends when its broker is away, and a site that is well without one.
const NEEDY: &str = "\
services:
  web: {command: \"gunicorn web -w 2 --bind unix:$SOCKET\", health: {path: /up}}
  consumer: {command: python consumer.py, handover: overlap}
";

#[test]
fn a_switch_while_the_broker_is_away_says_so_and_does_not_hang() {
    let redis = Redis::start();
    let (site, port) = (Site::of("workers"), redis.port);
    site.overriding(NEEDY);
    fs::write(site.root.join("shared/.env"), format!("BROKER_URL={}\n", redis.url())).unwrap();
    site.switch();
    let before = site.current();
    drop(redis);
    site.commit("revision.py", "CODE = 1\n");
    site.release(&["deploy", "main"]).exits(3).says("consumer").says("Connection refused");
    assert_eq!(site.current(), before, "users are served by the old release");
    site.overriding(&NEEDY.replace("overlap", "overlap, optional: true"));
    let started = Instant::now();
    site.release(&["deploy", "main"]).exits(0).says("consumer").says("(optional)");
    assert!(started.elapsed() < LIMIT, "it took {:?}", started.elapsed());
    println!("celery: a switch without its broker took {:.1} s", started.elapsed().as_secs_f64());
    let log = fs::read_to_string(site.root.join(".release/log").join(site.current()).join("hand-over.log"));
    assert!(log.unwrap().contains("did not all answer"), "what is known of the old workers");
    let redis = Redis::start_at(port);
    assert_eq!(Client::socket(&site.socket()).get("/work?key=after").unwrap().status, 200);
    wait_until("the new worker works", LIMIT, || redis.list("done") == ["after 1"]);
    site.assert_tidy();
    site.stop();
}

/// Longer than one question waits for its answers.
const LATE: Duration = Duration::from_secs(4);

#[test]
fn a_worker_that_answers_late_takes_the_order_too() {
    let redis = Redis::start();
    let site = Site::of("workers");
    fs::write(site.root.join("shared/.env"), format!("BROKER_URL={}\n", redis.url())).unwrap();
    site.switch();
    let slow = master(&site, "slow").unwrap();
    site.commit("revision.py", "CODE = 1\n");
    kill_process(slow, Signal::STOP).unwrap();
    let deploy = site.start(&["deploy", "main"]);
    let asks = || processes::of(&site.root).iter().any(|process| process.command.contains("release-quiesce"));
    wait_until("the old workers are asked", LIMIT, asks);
    thread::sleep(LATE);
    kill_process(slow, Signal::CONT).unwrap();
    deploy.finish().exits(0);
    let log = site.root.join(".release/log").join(site.current()).join("hand-over.log");
    assert_eq!(fs::read_to_string(log).unwrap_or_default(), "", "each worker took the order");
    site.stop();
}

#[test]
fn a_killed_celery_leaves_no_child_behind() {
    let redis = Redis::start();
    let site = Site::of("workers");
    fs::write(site.root.join("shared/.env"), format!("BROKER_URL={}\n", redis.url())).unwrap();
    site.switch();
    wait_until("it has children", LIMIT, || family(&site, "worker").len() > 2);
    let old = family(&site, "worker");
    kill_process(master(&site, "worker").unwrap(), Signal::KILL).unwrap();
    wait_until("all of it is gone", LIMIT, || family(&site, "worker").iter().all(|pid| !old.contains(pid)));
    assert_eq!(Client::socket(&site.socket()).get("/work?key=after").unwrap().status, 200);
    wait_until("its successor works", LIMIT, || redis.list("done") == ["after 0"]);
    site.stop();
}

#[test]
fn an_optional_consumer_waits_for_its_broker() {
    let (redis, port) = (Redis::start(), free_port());
    let site = Site::of("workers");
    fs::write(site.root.join("shared/.env"), format!("BROKER_URL={}\n", redis.url())).unwrap();
    let consumer = format!(
        "services:\n  consumer:\n    command: python consumer.py\n    handover: overlap\n    optional: true\n    \
         env: {{BROKER_URL: \"redis://127.0.0.1:{port}/0\"}}\n"
    );
    site.append(&consumer);
    site.release(&["deploy"]).exits(0).says("consumer");
    assert_eq!(Client::socket(&site.socket()).get("/healthz").unwrap().status, 200);
    // By itself supervisord gives up after four attempts.
    wait_until("the consumer has tried six times", LIMIT, || attempts(&site) >= 6);
    let broker = Redis::start_at(port);
    broker.ask(&["rpush", "items", "one"]);
    wait_until("the consumer has come back", LIMIT, || broker.list("consumed") == ["one"]);
    site.stop();
}

fn attempts(site: &Site) -> usize {
    let logs = fs::read_dir(site.root.join(".release/log/service")).unwrap().map(|log| log.unwrap().path());
    let of_consumer = logs.filter(|log| log.file_name().unwrap().to_string_lossy().starts_with("consumer-"));
    let text: String = of_consumer.map(|log| fs::read_to_string(log).unwrap()).collect();
    text.matches("Traceback").count()
}
