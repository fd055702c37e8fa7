"""How log lines look and where they go."""

import io
import logging
import os
import re

import pytest

from deepaas import log
from deepaas.errors import SettingsError

LINE = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}) (?P<pid>\d+) (?P<level>[A-Z]+) (?P<logger>\S+) "
    r"\[(?P<request>\S+)\] (?P<message>.*)\n"
)

logger = logging.getLogger("model.of.somebody")


@pytest.fixture(autouse=True)
def root():
    """Return the root logger and put it back as it was."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield root
    for handler in set(root.handlers) - set(handlers):
        root.removeHandler(handler)
        handler.close()
    root.setLevel(level)


@pytest.fixture
def stream():
    """Return where log lines of every level go."""
    stream = io.StringIO()
    log.configure("DEBUG", stream=stream)
    return stream


def fail(message: str) -> None:
    """Log the traceback of an error with that message."""
    try:
        raise ValueError(message)
    except ValueError:
        logger.exception("It failed")


def test_line(stream):
    """A line has time, process, level, logger, request and message."""
    logger.info("loaded %s", "weights")
    found = LINE.fullmatch(stream.getvalue())
    assert found
    assert found.group("pid", "level", "logger", "request", "message") == (
        str(os.getpid()),
        "INFO",
        "model.of.somebody",
        "-",
        "loaded weights",
    )


def test_request_id(stream):
    """A line written while a request is answered carries its identifier."""
    token = log.request_id.set("abc123")
    logger.info("predicting")
    log.request_id.reset(token)
    logger.info("idle")
    assert [LINE.fullmatch(line)["request"] for line in stream.getvalue().splitlines(keepends=True)] == [
        "abc123",
        "-",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\nb", r"a\nb"),
        ("a\r\nb", r"a\r\nb"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("\x9b31m", r"\x9b31m"),
        ("nul\0", r"nul\x00"),
        ("\u2028", r"\u2028"),
        ("\ud800", r"\ud800"),
        ("Prédire 数据 🙂", "Prédire 数据 🙂"),
        (r"C:\new", r"C:\new"),
    ],
)
def test_messages_stay_one_line(stream, text, expected):
    """What cannot be printed is spelled out, so that a request cannot forge a line."""
    logger.info("got %s", text)
    assert LINE.fullmatch(stream.getvalue())["message"] == f"got {expected}"


def test_request_id_is_escaped(stream):
    """An identifier that a client chose cannot forge a line either."""
    token = log.request_id.set("a\nb")
    logger.info("x")
    log.request_id.reset(token)
    assert LINE.fullmatch(stream.getvalue())["request"] == r"a\nb"


def test_traceback_keeps_its_lines(stream):
    """A traceback follows its line, and is as readable as Python's own."""
    fail("no \x1b[2J weights")
    first, *rest = stream.getvalue().splitlines()
    assert first.endswith("It failed")
    assert rest[0] == "Traceback (most recent call last):"
    assert rest[-1] == r"ValueError: no \x1b[2J weights"
    assert len(rest) > 3


@pytest.mark.parametrize(
    ("level", "expected"), [("DEBUG", ["debug", "info", "error"]), ("info", ["info", "error"])]
)
def test_level(level, expected):
    """Every logger, a model's too, is heard from the chosen level on."""
    stream = io.StringIO()
    log.configure(level, stream=stream)
    logger.debug("debug")
    logging.getLogger("another").info("info")
    logging.getLogger().error("error")
    assert [line.split()[-1] for line in stream.getvalue().splitlines()] == expected


def test_configure_twice(root):
    """Doing it again replaces ours and leaves the handlers of others."""
    other = logging.NullHandler()
    root.addHandler(other)
    first, second = io.StringIO(), io.StringIO()
    log.configure(stream=first)
    log.configure(stream=second)
    logger.warning("once")
    root.removeHandler(other)
    assert first.getvalue() == ""
    assert second.getvalue().count("once") == 1


def test_standard_error_is_the_default(capsys):
    """Without a file or a stream, lines go to standard error."""
    log.configure()
    logger.info("here")
    assert LINE.fullmatch(capsys.readouterr().err)["message"] == "here"


def test_file(tmp_path):
    """A log file gets the lines, is appended to, and is opened again after it was moved away."""
    path = tmp_path / "server.log"
    path.write_text("before\n")
    log.configure(file=str(path))
    logger.info("first é \ud800")
    path.rename(tmp_path / "server.log.1")
    logger.info("second")
    assert (tmp_path / "server.log.1").read_text(encoding="utf-8").startswith("before\n")
    assert r"first é \ud800" in (tmp_path / "server.log.1").read_text(encoding="utf-8")
    assert LINE.fullmatch(path.read_text(encoding="utf-8"))["message"] == "second"


def test_unwritable_file(tmp_path, stream):
    """A log file that cannot be written is an error that names it, and logging goes on as before."""
    with pytest.raises(SettingsError, match=r"none/server.log cannot be written \(No such file"):
        log.configure(file=str(tmp_path / "none" / "server.log"))
    logger.info("still here")
    assert "still here" in stream.getvalue()


def test_held_lines_follow():
    """What was logged before anybody knew where to is written then, from the chosen level on."""
    log.hold()
    logger.debug("early detail")
    logger.info("early")
    stream = io.StringIO()
    log.configure("INFO", stream=stream)
    logger.info("late")
    assert [line.split(" [-] ")[1] for line in stream.getvalue().splitlines()] == ["early", "late"]
