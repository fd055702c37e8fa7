"""Format and destination of log lines."""

import io
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from deepaas import log
from deepaas.errors import SettingsError

LINE = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}) (?P<pid>\d+) (?P<level>[A-Z]+) (?P<logger>\S+) "
    r"\[(?P<request>\S+)\] (?P<message>.*)\n"
)

logger = logging.getLogger("model.of.somebody")


def part(line: str, name: str) -> str:
    """Return one part of a log line; fail if the line has the wrong format."""
    found = LINE.fullmatch(line)
    assert found
    return found[name]


@pytest.fixture(autouse=True)
def root() -> Iterator[logging.Logger]:
    """Return Python's root logger; restore it and the root logger of deepaas afterwards."""
    root, own = logging.getLogger(), log.get_logger("deepaas").manager.root
    before = [(one, list(one.handlers), one.level) for one in (root, own)]
    own.handlers = []  # it may have a handler of earlier tests
    yield root
    for one, handlers, level in before:
        for handler in set(one.handlers) - set(handlers):
            handler.close()
        one.handlers = handlers
        one.setLevel(level)


@pytest.fixture
def stream() -> io.StringIO:
    """Return the stream that receives log lines of every level."""
    stream = io.StringIO()
    log.configure("DEBUG", stream=stream)
    return stream


def load(weights: str) -> None:
    """Raise an error that contains a text from a request, as a model may."""
    raise ValueError(weights)


def test_line(stream: io.StringIO) -> None:
    """A line has time, process id, level, logger, request id and message."""
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


def test_request_id(stream: io.StringIO) -> None:
    """Lines logged during a request carry its id."""
    token = log.request_id.set("abc123")
    logger.info("predicting")
    log.request_id.reset(token)
    logger.info("idle")
    assert [part(line, "request") for line in stream.getvalue().splitlines(keepends=True)] == [
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
def test_messages_stay_one_line(stream: io.StringIO, text: str, expected: str) -> None:
    """Unprintable characters are escaped, so that a request cannot forge a log line."""
    logger.info("got %s", text)
    assert part(stream.getvalue(), "message") == f"got {expected}"


def test_request_id_is_escaped(stream: io.StringIO) -> None:
    """A request id chosen by a client cannot forge a line either."""
    token = log.request_id.set("a\nb")
    logger.info("x")
    log.request_id.reset(token)
    assert part(stream.getvalue(), "request") == r"a\nb"


def test_traceback_keeps_its_lines(stream: io.StringIO) -> None:
    """A traceback follows its line, as readable as Python's own."""
    try:
        load("no \x1b[2J weights")
    except ValueError:
        logger.exception("It failed")
    first, *rest = stream.getvalue().splitlines()
    assert first.endswith("It failed")
    assert rest[0] == "Traceback (most recent call last):"
    assert rest[-1] == r"ValueError: no \x1b[2J weights"
    assert len(rest) > 3


def test_trace_of_another_process(stream: io.StringIO) -> None:
    """A traceback that arrived as text is logged like a local one."""
    logger.error("It failed", extra={"trace": "Traceback:\n  \x1b[2J\n"})
    assert stream.getvalue().endswith("It failed\nTraceback:\n  \\x1b[2J\n")


@pytest.mark.parametrize(
    ("level", "expected"), [("DEBUG", ["debug", "info", "error"]), ("info", ["info", "error"])]
)
def test_level(level: str, expected: list[str]) -> None:
    """The level applies to every logger, including those of models."""
    stream = io.StringIO()
    log.configure(level, stream=stream)
    logger.debug("debug")
    logging.getLogger("another").info("info")
    logging.getLogger().error("error")
    assert [line.split()[-1] for line in stream.getvalue().splitlines()] == expected


def test_configure_twice(root: logging.Logger) -> None:
    """A second call replaces the handler of the first, and keeps the handlers of others."""
    other = logging.NullHandler()
    root.addHandler(other)
    first, second = io.StringIO(), io.StringIO()
    log.configure(stream=first)
    log.configure(stream=second)
    logger.warning("once")
    root.removeHandler(other)
    assert first.getvalue() == ""
    assert second.getvalue().count("once") == 1


def test_standard_error_is_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure()
    logger.info("here")
    assert part(capsys.readouterr().err, "message") == "here"


def test_file(tmp_path: Path) -> None:
    """A log file is appended to, and reopened after it was moved away."""
    path = tmp_path / "server.log"
    path.write_text("before\n")
    log.configure(file=str(path))
    logger.info("first é \ud800")
    path.rename(tmp_path / "server.log.1")
    logger.info("second")
    assert (tmp_path / "server.log.1").read_text(encoding="utf-8").startswith("before\n")
    assert r"first é \ud800" in (tmp_path / "server.log.1").read_text(encoding="utf-8")
    assert part(path.read_text(encoding="utf-8"), "message") == "second"


def test_unwritable_file(tmp_path: Path, stream: io.StringIO) -> None:
    """An unwritable log file is an error that names it; logging continues as before."""
    with pytest.raises(SettingsError, match=r"none/server.log cannot be written \(No such file"):
        log.configure(file=str(tmp_path / "none" / "server.log"))
    logger.info("still here")
    assert "still here" in stream.getvalue()


def test_held_lines_follow() -> None:
    """Lines logged before `configure` are written then, if their level allows."""
    log.buffer_until_configured()
    logger.debug("early detail")
    logger.info("early")
    stream = io.StringIO()
    log.configure("INFO", stream=stream)
    logger.info("late")
    assert [line.split(" [-] ")[1] for line in stream.getvalue().splitlines()] == ["early", "late"]
