"""What user code does to its process: each function is one hostile act, called by its name."""

import atexit
import builtins
import faulthandler
import gc
import locale
import logging
import logging.config
import os
import random
import resource
import select
import signal
import socket
import sys
import threading
import time
import warnings


def nothing():
    """Does nothing: the other acts are compared with it."""


def default_timeout():
    socket.setdefaulttimeout(0.01)


def patched_modules():
    """Replaces what gevent and eventlet replace, too, but by what does not work."""

    def broken(*_, **__):
        raise RuntimeError("patched")

    socket.socket = socket.socketpair = socket.create_connection = broken
    select.select = select.poll = select.epoll = broken
    threading.Thread = threading.Lock = threading.Event = threading._allocate_lock = broken
    time.sleep = os.fork = os.dup = broken


def dict_config():
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": True,
            "handlers": {"own": {"class": "logging.NullHandler"}},
            "root": {"level": "CRITICAL", "handlers": ["own"]},
        }
    )


def disabled_log():
    logging.disable(logging.CRITICAL)


def forced_config():
    logging.basicConfig(force=True, handlers=[logging.NullHandler()], level=logging.CRITICAL)


def removed_handlers():
    logging.getLogger().handlers.clear()
    logging.shutdown()
    logging.raiseExceptions = False


def logger_class():
    class Silent(logging.Logger):
        def handle(self, record):
            raise RuntimeError("silent")

    logging.setLoggerClass(Silent)


def closed_descriptors():
    for descriptor in (0, 1, 2):
        os.close(descriptor)


def replaced_descriptors():
    for descriptor in (0, 1, 2):
        os.dup2(os.open(os.devnull, os.O_RDWR), descriptor)


def closed_streams():
    sys.stdin.close()
    sys.stdout.close()
    sys.stderr.close()


def closed_buffers():
    sys.stdout.buffer.close()
    sys.stderr.buffer.close()


def ascii_streams():
    sys.stdout.reconfigure(encoding="ascii")
    sys.stderr.reconfigure(encoding="ascii")


def no_streams():
    sys.stdin = sys.stdout = sys.stderr = sys.__stdout__ = sys.__stderr__ = None


def full_disk():
    for descriptor in (1, 2):
        os.dup2(os.open("/dev/full", os.O_WRONLY), descriptor)


def nobody_reads():
    reading, writing = os.pipe()
    os.close(reading)
    for descriptor in (1, 2):
        os.dup2(writing, descriptor)


def non_blocking_output():
    for descriptor in (1, 2):
        os.set_blocking(descriptor, False)


def other_folder():
    os.chdir("/")


def no_environment():
    os.environ.clear()


def no_path():
    os.environ.pop("PATH")


def signal_handlers():
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGALRM, signal.SIGPIPE):
        signal.signal(number, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, 0.005, 0.005)


def wakeup_descriptor():
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing)
    signal_handlers()


def exit_handlers():
    atexit.register(sys.exit, "at exit")
    atexit.register(os._exit, 3)


def failing_hooks():
    def fail(*_):
        raise RuntimeError("in a hook")

    sys.excepthook = threading.excepthook = sys.unraisablehook = fail


def low_recursion_limit():
    sys.setrecursionlimit(50)


def no_collections():
    gc.disable()
    gc.freeze()


def other_locale():
    locale.setlocale(locale.LC_ALL, "C")


def warnings_are_errors():
    warnings.simplefilter("error")


def seeded():
    random.seed(0)


def no_module_path():
    sys.path.clear()


def no_modules():
    for name in list(sys.modules):
        if name.partition(".")[0] in ("deepaas", "json", "pickle", "logging", "socket"):
            del sys.modules[name]


def no_print():
    builtins.print = lambda *_, **__: None


def no_fault_handler():
    faulthandler.disable()


def few_descriptors():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))


ACTS = {name: act for name, act in vars().items() if callable(act)}
