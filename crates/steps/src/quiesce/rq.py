# Makes RQ workers stand still where their signal costs no job, and says in one line of JSON which programs do.
# RQ takes a job from its queue first and counts as busy later: a signal between the two loses the job.
# Needs nothing but RQ and Linux. The app may print what it likes: only the marked line counts.
import json
import os
import signal
import socket
import subprocess
import sys
import time
import traceback
from datetime import datetime, timezone

from redis.exceptions import RedisError
from rq import Worker
from rq.utils import utcparse

MARK = "@release-rq:"
PATIENCE = 5.0
PAUSE = 0.01
# Its heartbeat and the wait that follows are a moment apart, and Redis tells whole seconds.
BEAT = 2.0
# What Redis says when there is no job, in bytes, and what that may take through a proxy, in seconds.
NO_JOB = 5
ARRIVAL = 0.05
# In these states a worker has no job but one that it finishes.
SAFE = ("started", "suspended", "busy")
WAITS = ("blmove", "blpop", "brpoplpush")


def of_django(words):
    import django
    from django.core.management import load_command_class
    from django.core.management.base import CommandParser, handle_default_options

    if asked["project"].endswith(".py"):
        sys.path.insert(0, os.path.dirname(os.path.abspath(asked["project"])))
    parser = CommandParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--settings")
    parser.add_argument("--pythonpath")
    options, words = parser.parse_known_args(words)
    handle_default_options(options)
    django.setup()
    from django_rq import get_queue

    command = load_command_class("django_rq", asked["command"]).create_parser("manage.py", asked["command"])
    return get_queue(*command.parse_known_args(words)[0].args[:1]).connection


def of_rq(words):
    from rq.cli import main as rq
    from rq.cli.helpers import CliConfig

    command = rq.commands[asked["command"]]
    context = command.make_context("rq", words, resilient_parsing=True, ignore_unknown_options=True)
    return CliConfig(**context.params).connection


def text(value):
    return value.decode() if isinstance(value, bytes) else value


def parent(pid):
    # The name of a process may hold anything, but it ends with the last bracket.
    fields = read("/proc/%d/stat" % pid).rpartition(")")[2].split()
    return int(fields[1]) if fields else 0


# The program of ours that a process belongs to: by its ancestors, as it may have written over its environment.
def program_of(pid):
    while pid > 1:
        if str(pid) in asked["programs"]:
            return asked["programs"][str(pid)]
        pid = parent(pid)
    return None


# The workers of these programs that Redis knows: their keys, programs and processes.
def found(connection):
    workers = {}
    for key in map(text, Worker.all_keys(connection)):
        pid, host = map(text, connection.hmget(key, "pid", "hostname"))
        program = program_of(int(pid)) if pid and host == socket.gethostname() else None
        if program:
            workers[key] = (program, int(pid))
    return workers


# A process stands still once each of its threads does.
def stands(pid):
    threads = "/proc/%d/task" % pid
    for _ in range(200):
        if all(") T " in read(os.path.join(threads, thread, "stat")) for thread in os.listdir(threads)):
            return True
        time.sleep(PAUSE / 2)
    return False


# Redis gives a job to whoever waits for one, also while he stands still.
def was_unblocked(connection, key, pid):
    me, clients = connection.client_id(), connection.client_list()
    own = next(client for client in clients if int(client["id"]) == me)
    waiting = [client for client in clients if "b" in client["flags"] and client["cmd"] in WAITS]
    servers = {there for _, port, there, _ in tcp(os.getpid()) if port == client_port(own)}
    if servers:
        ports = {port for _, port, there, _ in tcp(pid) if there in servers}
        return any(unblock(connection, client) for client in waiting if client_port(client) in ports)
    # Redis cannot tell whose a unix socket is, or what stands behind a proxy: it is who hears of it.
    before, silent = unread(pid), silence(connection, key)
    return any(
        unblock(connection, client) and hears(pid, before)
        for client in likeliest_first(waiting, clients, key)
        if client["db"] == own["db"] and abs(int(client["idle"]) - silent) < BEAT
    )


# A worker gives its name to the connection by which it listens to orders, and then makes the one by which it waits.
def likeliest_first(waiting, clients, key):
    name = key[len(Worker.redis_worker_namespace_prefix):]
    named = max((int(client["id"]) for client in clients if client["name"] == name), default=0)
    return sorted(waiting, key=lambda client: (int(client["id"]) < named, int(client["id"])))


def client_port(client):
    return int(client["addr"].rsplit(":", 1)[1])


def unblock(connection, client):
    return bool(int(connection.execute_command("CLIENT UNBLOCK", client["id"])))


# How long ago a worker said that it lives, as it does before it waits.
def silence(connection, key):
    beat = utcparse(text(connection.hget(key, "last_heartbeat"))).replace(tzinfo=timezone.utc)
    return (datetime.now(timezone.utc) - beat).total_seconds()


# Whether a process is told now that there is no job; a job would be longer.
def hears(pid, before):
    end = time.monotonic() + ARRIVAL
    while time.monotonic() < end:
        if any(not before.get(number, 1) and 0 < length <= NO_JOB for number, length in unread(pid).items()):
            return True
        time.sleep(PAUSE / 10)
    return False


def hold(connection, key, pid):
    os.kill(pid, signal.SIGSTOP)
    held = False
    try:
        held = stands(pid) and (text(connection.hget(key, "state")) in SAFE or was_unblocked(connection, key, pid))
    finally:
        if not held:
            os.kill(pid, signal.SIGCONT)
    return held


def may_be_held(connection, key, pid):
    try:
        return hold(connection, key, pid)
    except (OSError, RedisError):
        # One that is gone has a successor.
        traceback.print_exc()
        return None


# Holds workers, each in its time; gives the keys of those that stand still.
def all_held(connection, workers):
    held, left, end = set(), dict(workers), time.monotonic() + PATIENCE
    while left and time.monotonic() < end:
        tried = {key: may_be_held(connection, key, pid) for key, (_, pid) in left.items()}
        held.update(key for key in tried if tried[key])
        left = {key: left[key] for key in tried if tried[key] is False}
        time.sleep(PAUSE)
    return held


# Lets them go also if this process is killed.
def guard(pids):
    command = [sys.executable, "-S", "-c", asked["guard"], str(os.getppid())] + list(map(str, pids))
    # It is none of the program's processes, and stays in no directory of a release.
    own = {name: value for name, value in os.environ.items() if not name.startswith("RELEASE_")}
    guardian = subprocess.Popen(
        command, env=own, cwd="/", start_new_session=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )
    if not guardian.stdout.readline():
        raise RuntimeError("nobody would let them go again")
    return guardian


# As the door expands the words of a command.
def expanded(word):
    return "$".join(map(os.path.expandvars, word.split("$$")))


def main():
    words = list(map(expanded, asked["arguments"]))
    connection = of_django(words) if asked["project"] else of_rq(words)
    connection.connection_pool.connection_kwargs["socket_timeout"] = 2
    workers = found(connection)
    guardian = guard([pid for _, pid in workers.values()])
    held = all_held(connection, workers)
    guardian.stdin.write(b"held\n")
    guardian.stdin.flush()
    # A pool may have started another one meanwhile.
    workers.update(found(connection))
    free = {program for key, (program, _) in workers.items() if key not in held}
    print(MARK + json.dumps(sorted({program for program, _ in workers.values()} - free)), flush=True)


asked = json.loads(sys.argv[1])
try:
    main()
except BaseException:
    traceback.print_exc()
finally:
    # Threads of the app do not keep the others waiting.
    sys.stdout.flush()
    os._exit(0)
