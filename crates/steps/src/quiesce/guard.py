# Lets processes go on that were made to stand still: each once a signal to end waits for it, all of them
# when `release` is gone or takes too long, or when nobody says in time that they are held.
import os
import select
import signal
import sys
import time

UNTOLD = 15.0
LIMIT = 60.0
PAUSE = 0.01
ENDING = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
MASK = sum(1 << number - 1 for number in ENDING)


def is_asked_to_end(pid):
    with open("/proc/%s/status" % pid, errors="replace") as lines:
        return any(int(line.split()[1], 16) & MASK for line in lines if line.startswith(("SigPnd:", "ShdPnd:")))


def go_on(pid):
    try:
        os.kill(int(pid), signal.SIGCONT)
    except OSError:
        pass


def stands(pid):
    try:
        return not is_asked_to_end(pid)
    except OSError:
        return False


def told():
    return bool(select.select([sys.stdin], [], [], UNTOLD)[0] and sys.stdin.readline())


def leave(*_):
    sys.exit(0)


for number in ENDING:
    signal.signal(number, leave)
release, pids = sys.argv[1], sys.argv[2:]
try:
    print("ready", flush=True)
    end = time.monotonic() + LIMIT if told() else 0
    while pids and time.monotonic() < end and os.path.exists("/proc/" + release):
        for pid in [pid for pid in pids if not stands(pid)]:
            go_on(pid)
            pids.remove(pid)
        time.sleep(PAUSE)
finally:
    list(map(go_on, pids))
