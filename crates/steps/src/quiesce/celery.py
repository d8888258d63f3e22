# Tells Celery workers to take no more tasks, waits until what they have taken is in the hands of
# their children, and says in one line of JSON which of them did so. A worker that is asked to end
# while a child has a task that it has not said it began gives that task back, and does it too.
# Needs nothing but Celery (5 and later). The app may print what it likes: only the marked line counts.
import json
import os
import sys
import time

import click
from celery.bin.celery import celery
from celery.utils.nodenames import default_nodename, host_format

MARK = "@release-celery:"
ANSWER = 2.0
# A busy machine lets a worker answer late, and what it answers to an earlier question counts for nothing.
ATTEMPTS = 4
PAUSE = 0.05


# As the door expands the words of a command.
def expanded(word):
    return "$".join(map(os.path.expandvars, word.split("$$")))


class Nodes:
    def __init__(self, app, names):
        self.app, self.names = app, names

    def ask(self, order, names=None, **arguments):
        silent, replies = list(self.names if names is None else names), {}
        for _ in range(ATTEMPTS):
            if not silent:
                break
            came = self.app.control.broadcast(
                order, arguments, destination=silent, reply=True, timeout=ANSWER, limit=len(silent)
            )
            for reply in came or []:
                replies.update(reply)
            silent = [name for name in silent if name not in replies]
        return replies


def stop_consuming(nodes):
    queues = nodes.ask("active_queues")

    def cancelled(name):
        consumed = [queue["name"] for queue in queues[name] or []]
        return all([nodes.ask("cancel_consumer", [name], queue=queue) for queue in consumed])

    # One that does not answer is left to its signal.
    nodes.names = [name for name in queues if cancelled(name)]


def wait(nodes, patience):
    pools = {name: stats.get("pool", {}) for name, stats in nodes.ask("stats").items()}
    before, end = {}, time.monotonic() + patience
    while nodes.names:
        active, reserved = nodes.ask("active"), nodes.ask("reserved")
        now = {name: sorted(task["id"] for task in tasks) for name, tasks in active.items()}

        def settled(name):
            if name not in active or name not in reserved:
                return False
            # What waits behind children that are all busy for long goes back to the queue.
            full = len(now[name]) >= pools.get(name, {}).get("max-concurrency", 0) > 0
            return not reserved[name] or full and now[name] == before.get(name)

        if all(map(settled, nodes.names)):
            return True
        if time.monotonic() > end:
            return False
        before = now
        time.sleep(PAUSE)
    return True


@celery.command("release-quiesce", hidden=True)
@click.pass_context
def quiesce(context):
    nodes = Nodes(context.obj.app, [host_format(default_nodename(expanded(name))) for name in asked["nodes"]])
    stop_consuming(nodes)
    print(MARK + json.dumps({"answered": len(nodes.names), "settled": wait(nodes, asked["patience"])}), flush=True)


asked = json.loads(sys.argv[1])
celery.main([expanded(word) for word in asked["global"]] + ["release-quiesce"], standalone_mode=False)
