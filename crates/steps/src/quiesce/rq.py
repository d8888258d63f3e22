# Makes RQ workers stand still where their signal costs no job, and says in one line of JSON which ones do.
# RQ takes a job from its queue first and counts as busy later: a signal between the two loses the job.
# Needs nothing but RQ and Linux. The app may print what it likes: only the marked line counts.
import json
import os
import signal
import socket
import subprocess
import sys
import time

from rq import Worker

MARK = "@release-rq:"
PATIENCE = 5.0
PAUSE = 0.01
# In these states a worker has no job but one that it finishes.
SAFE = ("started", "suspended", "busy")


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

    command = load_command_class("django_rq", "rqworker").create_parser("manage.py", "rqworker")
    return get_queue(*command.parse_known_args(words)[0].args[:1]).connection


def of_rq(words):
    from rq.cli import main as rq
    from rq.cli.helpers import CliConfig

    context = rq.commands["worker"].make_context("rq", words, resilient_parsing=True, ignore_unknown_options=True)
    return CliConfig(**context.params).connection


def text(value):
    return value.decode() if isinstance(value, bytes) else value


def read(path):
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


# The processes of the programs that are asked for, by the keys of their workers.
def found(connection):
    workers = {}
    for key in map(text, Worker.all_keys(connection)):
        pid, host = map(text, connection.hmget(key, "pid", "hostname"))
        if not pid or host != socket.gethostname():
            continue
        for variable in read("/proc/%s/environ" % pid).split("\0"):
            name, _, program = variable.partition("=")
            if name == "RELEASE_PROGRAM" and program in asked["programs"]:
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


# The ports from which a process speaks.
def ports(pid):
    fds = "/proc/%d/fd" % pid
    sockets = {os.readlink(os.path.join(fds, fd)) for fd in os.listdir(fds)}
    lines = [line.split() for table in ("tcp", "tcp6") for line in read("/proc/%d/net/%s" % (pid, table)).splitlines()]
    return {str(int(line[1].rsplit(":")[-1], 16)) for line in lines if "socket:[%s]" % line[9] in sockets}


# Redis gives a job to whoever waits for one, also while he stands still.
def was_unblocked(connection, pid):
    for client in connection.client_list():
        if "b" in client["flags"] and client["addr"].rsplit(":")[-1] in ports(pid):
            return bool(int(connection.execute_command("CLIENT UNBLOCK", client["id"])))
    return False


def hold(connection, key, pid):
    os.kill(pid, signal.SIGSTOP)
    if stands(pid) and (text(connection.hget(key, "state")) in SAFE or was_unblocked(connection, pid)):
        return True
    os.kill(pid, signal.SIGCONT)
    return False


def is_held(connection, key, pid, end):
    try:
        while not hold(connection, key, pid):
            if time.monotonic() > end:
                return False
            time.sleep(PAUSE)
    except FileNotFoundError:
        pass
    except ProcessLookupError:
        pass
    return True


# Lets them go also if this process is killed.
def guard(pids):
    command = [sys.executable, "-I", "-S", "-c", asked["guard"]] + list(map(str, pids))
    # It is none of the program's processes, and stays in no directory of a release.
    return subprocess.Popen(
        command, env={}, cwd="/", start_new_session=True,
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )


def main():
    words = [os.path.expandvars(word) for word in asked["arguments"]]
    connection = of_django(words) if asked["project"] else of_rq(words)
    workers = found(connection)
    guardian = guard([pid for _, pid in workers.values()])
    end = time.monotonic() + PATIENCE
    held = {}
    for key, (program, pid) in workers.items():
        held[program] = is_held(connection, key, pid, end) and held.get(program, True)
    guardian.stdin.write(b"held\n")
    guardian.stdin.flush()
    print(MARK + json.dumps([program for program in held if held[program]]), flush=True)


asked = json.loads(sys.argv[1])
main()
