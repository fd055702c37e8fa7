"""A model that starts processes and threads, prints, logs, and reads standard input."""

import importlib.metadata
import logging
import multiprocessing
import os
import subprocess
import sys
import threading

from webargs import fields

started = threading.Event()
threading.Thread(target=started.set, daemon=True).start()


def double(number, queue):
    queue.put(2 * number)


def in_a_process(**options):
    queue = multiprocessing.Queue()
    process = multiprocessing.Process(target=double, args=(21, queue), **options)
    process.start()
    found = queue.get(timeout=600)
    process.join()
    return found


def in_a_pool():
    with multiprocessing.get_context("fork").Pool(2) as pool:
        return sum(pool.map(abs, [-1, -2]))


def talk():
    print("printed by a model")
    sys.stderr.write("written by a model to stderr\n")
    os.system("echo said by a command of a model")
    logging.getLogger(__name__).info("logged by a model")


ACTS = {
    "process": in_a_process,
    "daemon": lambda: in_a_process(daemon=True),
    "pool": in_a_pool,
    "subprocess": lambda: subprocess.check_output(["echo", "hello"], text=True),
    "stdin": lambda: sys.stdin.read(),
    "thread": lambda: started.wait(600),
    "cwd": os.getcwd,
    "metadata": lambda: dict(importlib.metadata.metadata("ten-line-models"))["Summary"],
    "talk": talk,
    "closed": lambda: (os.close(0), "it closed its standard input")[1],
}


def get_predict_args():
    return {"what": fields.Str(required=True)}


def predict(what):
    return ACTS[what]()
