"""The click command built from the table of options."""

import importlib.metadata
import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click import Command
from click.testing import CliRunner, Result

from deepaas import log
from deepaas.cmd.options import command
from deepaas.config.settings import Option, Settings, WorkerRange, list_options
from deepaas.errors import SettingsError

Run = Callable[..., Result]
BOOLS = [row for row in list_options() if row.type is bool]


@command("show")
def show(settings: Settings) -> None:
    """Show the settings."""
    log.configure(settings.log_level, file=settings.log_file)
    logging.getLogger(__name__).info("shown")
    print(settings)  # noqa: T201 - this is what the command does


@command("refuse")
def refuse(settings: Settings) -> None:
    """Reject the settings after parsing."""
    raise SettingsError("The port is taken.")


@pytest.fixture(autouse=True)
def root() -> Iterator[None]:
    """Restore the root logger."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    for handler in set(root.handlers) - set(handlers):
        root.removeHandler(handler)
        handler.close()
    root.setLevel(level)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Return a function that runs a command line without this machine's config files."""

    def run(*line: str, of: Command = show, **environ: str) -> Result:
        return CliRunner(env={"HOME": str(tmp_path)} | environ).invoke(of, line, prog_name="show")

    return run


def settings_of(**values: Any) -> str:
    return f"{Settings(**values)}\n"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ([], {}),
        (["--listen-port", "0"], {"listen_port": 0}),
        (["--listen-port=8080", "--listen-ip=::"], {"listen_port": 8080, "listen_ip": "::"}),
        (["-p", "3"], {"workers": WorkerRange(3, 3)}),
        (["--workers", "3"], {"workers": WorkerRange(3, 3)}),
        (["--base-path", "x/"], {"base_path": "/x"}),
        (["--predictions", "JSON"], {"predictions": "json"}),
        (["--log-level", "debug"], {"log_level": "DEBUG"}),
        (["--model", "./model.py"], {"model": "./model.py"}),
        (["--warm", "--nowarm"], {"warm": False}),
    ],
)
def test_flags(run: Run, line: list[str], expected: dict[str, object]) -> None:
    assert run(*line).stdout == settings_of(**expected)


@pytest.mark.parametrize("row", BOOLS, ids=lambda row: row.name)
@pytest.mark.parametrize("value", [True, False])
def test_switches(run: Run, row: Option, *, value: bool) -> None:
    """Every switch has both spellings, and overrides the environment."""
    line = f"--{row.cli_name}" if value else f"--no{row.cli_name}"
    done = run(line, **{row.env_vars[0]: str(not value)})
    assert done.stdout == settings_of(**{row.name: value})


@pytest.mark.parametrize("row", BOOLS, ids=lambda row: row.name)
def test_switches_leave_the_environment(run: Run, row: Option) -> None:
    """Without the switch, the environment's value is used."""
    done = run(**{row.env_vars[0]: str(not row.default)})
    assert done.stdout == settings_of(**{row.name: not row.default})


def test_flag_equal_to_its_default_wins(run: Run) -> None:
    """A flag with the default value still overrides other sources."""
    assert run("--listen-port", "5000", DEEPAAS_LISTEN_PORT="1").stdout == settings_of()


def test_config_files(run: Run, tmp_path: Path) -> None:
    """Flags select config files and directories, and may be repeated."""
    for name, text in {"a": "workers = 2\nlisten-port = 2", "b": "workers = 3", "c": "base-path = c"}.items():
        (tmp_path / f"{name}.conf").write_text(f"[DEFAULT]\n{text}\n")
    (tmp_path / "dir").mkdir()
    (tmp_path / "c.conf").rename(tmp_path / "dir" / "c.conf")
    line = [f"--config-file={tmp_path / name}.conf" for name in "ab"]
    done = run(*line, f"--config-dir={tmp_path / 'dir'}")
    assert done.stdout == settings_of(workers=WorkerRange(3, 3), listen_port=2, base_path="/c")


def test_unknown_keys_are_logged_once_logging_is_set_up(run: Run, tmp_path: Path) -> None:
    """The warning is kept until --log-file is known."""
    (tmp_path / "x.conf").write_text(f"[DEFAULT]\nodd = 1\nlog-file = {tmp_path / 'x.log'}\n")
    done = run("--config-file", str(tmp_path / "x.conf"))
    assert done.stderr == ""
    first, second = (tmp_path / "x.log").read_text().splitlines()
    assert first.endswith("unknown option odd, ignored")
    assert second.endswith("shown")


def test_all_is_well_without_the_word_error(run: Run, tmp_path: Path) -> None:
    """Operators search the log for ERROR, so a warning must not contain it."""
    (tmp_path / "x.conf").write_text("[DEFAULT]\nodd = 1\n[more]\nx = 1\n")
    done = run("--config-file", str(tmp_path / "x.conf"), "--log-level", "debug")
    assert "unknown option odd, [more], ignored" in done.stderr
    assert "ERROR" not in done.output


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help(run: Run, flag: str) -> None:
    """The help lists every option with its default and variables."""
    done = run(flag)
    words = " ".join(done.stdout.split())
    assert done.exit_code == 0
    assert "Show the settings." in words
    for row in filter(lambda row: row.has_flag, list_options()):
        default = str(row.default).lower() if row.type is bool else row.default or "none"
        assert f"--{row.cli_name} " in words
        assert row.help in words
        if row.default != 0 or row.type is bool:
            assert f"[environment: {', '.join(row.env_vars)}; default: {default}]" in words
    for shown in ("--config-file", "--config-dir", "--version", "-p, --workers", "~/.deepaas/deepaas.conf"):
        assert shown in words
    for row in BOOLS:
        assert f"--{row.cli_name} / --no{row.cli_name} " in words


def test_help_in_groups(run: Run) -> None:
    """The help has a section for each group, with the options that belong there."""
    sections = re.split(r"^(\w[\w ]*):$", run("--help").stdout, flags=re.MULTILINE)
    shown = dict(zip(sections[1::2], sections[2::2], strict=True))
    groups = list(dict.fromkeys(row.group for row in list_options()))
    assert list(shown) == [*groups, "Other options"]
    assert groups == ["Server", "Model", "Workers", "Limits", "Trainings", "Security", "Logging", "Ray"]
    for row in filter(lambda row: row.has_flag, list_options()):
        assert f"--{row.cli_name} " in shown[row.group]


def test_version(run: Run) -> None:
    """The last line of --version is the installed version."""
    done = run("--version")
    assert done.exit_code == 0
    assert done.stdout.splitlines()[-1] == importlib.metadata.version("deepaas")


@pytest.mark.parametrize(
    ("line", "meant"),
    [("--listen-prot", "--listen-port"), ("--no-warm", "--nowarm"), ("--worker", "--workers")],
)
def test_unknown_option(run: Run, line: str, meant: str) -> None:
    """The error for a misspelt option has close matches."""
    done = run(line, "1")
    assert done.exit_code == 2
    assert f"No such option: {line}. Did you mean {meant}" in done.stderr
    assert "See --help." in done.stderr


def test_unknown_option_without_a_match(run: Run) -> None:
    """The error for an option unlike any other lists all options."""
    done = run("--use-syslog")
    assert done.exit_code == 2
    for row in filter(lambda row: row.has_flag, list_options()):
        assert f"--{row.cli_name}," in done.stderr
    assert "--config-file," in done.stderr
    assert "--help describes them" in done.stderr


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            ["--listen-port", "http"],
            "'--listen-port': it is 'http', expected a whole number from 0 to 65535.",
        ),
        (["-p", "0"], "'--workers': it is '0', expected a whole number from 1."),
        (["--predictions", "xml"], "'--predictions': it is 'xml', expected one of string, json."),
    ],
)
def test_wrong_flag(run: Run, line: list[str], words: str) -> None:
    """The error for an invalid value has the expected form; the exit code is 2."""
    done = run(*line)
    assert done.exit_code == 2
    assert " ".join(done.stderr.split()).endswith(words)


@pytest.mark.parametrize(
    ("line", "environ", "words"),
    [
        (["--config-file", "/none.conf"], {}, "The config file /none.conf cannot be read"),
        (["--config-dir", "/none"], {}, "The config directory /none does not exist"),
        (["--log-file", "/none/x.log"], {}, "The log file /none/x.log cannot be written"),
        ([], {"DEEPAAS_WARM": "maybe"}, "variable DEEPAAS_WARM: warm is 'maybe', expected true or false."),
    ],
)
def test_unusable_settings(run: Run, line: list[str], environ: dict[str, str], words: str) -> None:
    """Errors in other sources are one line on standard error; the exit code is 2."""
    done = run(*line, **environ)
    assert done.exit_code == 2
    assert done.stderr.count("\n") == 1
    assert words in done.stderr
    assert done.stdout == ""


def test_settings_refused_later(run: Run) -> None:
    """A SettingsError of the command's function is reported in the same way."""
    done = run(of=refuse)
    assert (done.exit_code, done.stderr) == (2, "Error: The port is taken.\n")
