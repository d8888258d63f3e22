# Lets processes go on that were made to stand still: each once a signal to end waits for it, and all of
# them after a while, or if nobody says that they are held.
import os
import signal
import sys
import time

HOLD = 10.0
PAUSE = 0.01
ENDING = sum(1 << number - 1 for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM))


def is_asked_to_end(pid):
    with open("/proc/%s/status" % pid) as lines:
        return any(int(line.split()[1], 16) & ENDING for line in lines if line.startswith(("SigPnd:", "ShdPnd:")))


def go_on(pid):
    try:
        os.kill(int(pid), signal.SIGCONT)
    except ProcessLookupError:
        pass


def stands(pid):
    try:
        return not is_asked_to_end(pid)
    except OSError:
        return False


pids = sys.argv[1:]
try:
    end = time.monotonic() + (HOLD if sys.stdin.readline() else 0)
    while pids and time.monotonic() < end:
        for pid in [pid for pid in pids if not stands(pid)]:
            go_on(pid)
            pids.remove(pid)
        time.sleep(PAUSE)
finally:
    list(map(go_on, pids))
