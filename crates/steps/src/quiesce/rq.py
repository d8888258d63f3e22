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

from redis.exceptions import RedisError
from rq import Worker

MARK = "@release-rq:"
PATIENCE = 5.0
# Without a port of its own nobody can tell whether an idle one waits: it may be busy soon.
BRIEFLY = 0.5
PAUSE = 0.01
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


def read(path):
    try:
        with open(path, errors="replace") as file:
            return file.read()
    except OSError:
        return ""


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


def port(address):
    return int(address.rsplit(":", 1)[1], 16)


def target(link):
    try:
        return os.readlink(link)
    except OSError:
        return ""


# The TCP connections of a process, by the ports on both sides.
def connections(pid):
    fds = "/proc/%d/fd" % pid
    sockets = {target(os.path.join(fds, fd)) for fd in os.listdir(fds)}
    lines = [line.split() for table in ("tcp", "tcp6") for line in read("/proc/%d/net/%s" % (pid, table)).splitlines()]
    return {(port(line[1]), port(line[2])) for line in lines if "socket:[%s]" % line[9] in sockets}


# The ports from which a process speaks to where this one, which speaks to its Redis, does.
def ports(pid):
    servers = {there for _, there in connections(os.getpid())}
    return {str(here) for here, there in connections(pid) if there in servers}


# A process stands still once each of its threads does.
def stands(pid):
    threads = "/proc/%d/task" % pid
    for _ in range(200):
        if all(") T " in read(os.path.join(threads, thread, "stat")) for thread in os.listdir(threads)):
            return True
        time.sleep(PAUSE / 2)
    return False


# Redis gives a job to whoever waits for one, also while he stands still.
def was_unblocked(connection, mine):
    return any(
        int(connection.execute_command("CLIENT UNBLOCK", client["id"]))
        for client in connection.client_list()
        if "b" in client["flags"] and client["cmd"] in WAITS and client["addr"].rsplit(":")[-1] in mine
    )


def hold(connection, key, pid):
    os.kill(pid, signal.SIGSTOP)
    held = False
    try:
        held = stands(pid) and (text(connection.hget(key, "state")) in SAFE or was_unblocked(connection, ports(pid)))
    finally:
        if not held:
            os.kill(pid, signal.SIGCONT)
    return held


def is_held(connection, key, pid):
    try:
        end = time.monotonic() + (PATIENCE if ports(pid) else BRIEFLY)
        while not hold(connection, key, pid):
            if time.monotonic() > end:
                return False
            time.sleep(PAUSE)
        return True
    except (OSError, RedisError):
        # One that is gone has a successor.
        traceback.print_exc()
        return False


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
    held = {key for key, (_, pid) in workers.items() if is_held(connection, key, pid)}
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
