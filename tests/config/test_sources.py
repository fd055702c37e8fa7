"""Sources of settings: their order, and the errors for wrong values."""

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from deepaas.config.settings import Settings, WorkerRange, list_options, parse_value
from deepaas.config.sources import get_default_config_files, load_settings
from deepaas.errors import SettingsError

WriteConf = Callable[..., Path]
TABLE = {row.name: row for row in list_options()}


@pytest.fixture
def conf(tmp_path: Path) -> WriteConf:
    """Return a function that writes a config file and returns its path."""

    def write(text: str, name: str = "x.conf") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write


def read(
    flags: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
    files: Sequence[Path] = (),
    dirs: Sequence[Path] = (),
) -> Settings:
    return load_settings(flags or {}, environ=environ or {}, config_files=files, config_dirs=dirs)


def test_defaults() -> None:
    """Without flags, variables and files, every setting has its default."""
    assert read() == Settings()


@pytest.mark.parametrize(
    ("flags", "environ", "expected"),
    [
        ({"listen_port": 1}, {"DEEPAAS_LISTEN_PORT": "2"}, 1),
        ({"listen_port": 1}, {"DEEPAAS_LISTEN_PORT": "x"}, 1),
        ({}, {"DEEPAAS_LISTEN_PORT": "2"}, 2),
        ({}, {"DEEPAAS_LISTEN_PORT": ""}, 3),
        ({}, {}, 3),
    ],
)
def test_precedence(
    conf: WriteConf, flags: dict[str, object], environ: dict[str, str], expected: object
) -> None:
    """Flags override environment variables, which override files; an empty variable counts as unset."""
    assert read(flags, environ, [conf("[DEFAULT]\nlisten_port = 3\n")]).listen_port == expected


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"DEEPAAS_V2_MODEL": "a"}, "a"),
        ({"DEEPAAS_MODEL_NAME": "b"}, "b"),
        ({"DEEPAAS_V2_MODEL": "a", "DEEPAAS_MODEL_NAME": "b"}, "b"),
        ({"DEEPAAS_V2_MODEL": "a", "DEEPAAS_MODEL_NAME": ""}, "a"),
    ],
)
def test_extra_variables(environ: dict[str, str], expected: object) -> None:
    """Two variables set the model's name; the one named like the option wins."""
    assert read(environ=environ).model_name == expected


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        *[("warm", text, True) for text in ("true", "YES", "On", "1")],
        *[("warm", text, False) for text in ("False", "no", "OFF", "0", " no ")],
        ("warm", False, False),
        ("listen_port", "0", 0),
        ("listen_port", "65535", 65535),
        ("listen_port", 8080, 8080),
        ("workers", " 4 ", WorkerRange(4, 4)),
        ("workers", 4, WorkerRange(4, 4)),
        ("workers", "1:8", WorkerRange(1, 8)),
        ("workers", "3:3", WorkerRange(3, 3)),
        ("workers", " 2 : 5 ", WorkerRange(2, 5)),
        ("predictions", "JSON", "json"),
        ("log_level", "debug", "DEBUG"),
        ("base_path", "", ""),
        ("base_path", "/", ""),
        ("base_path", "x", "/x"),
        ("base_path", "/x/", "/x"),
        ("base_path", "/x/y-1.0", "/x/y-1.0"),
        ("model", "./model.py", "./model.py"),
        ("model_name", "50% off", "50% off"),
    ],
)
def test_right_values(name: str, text: object, expected: object) -> None:
    """Texts and typed values become the option's type, in normalised form."""
    value = parse_value(TABLE[name], text)
    assert value == expected
    assert type(value) is TABLE[name].type


@pytest.mark.parametrize(
    ("name", "value", "right"),
    [
        ("warm", "maybe", "true or false"),
        ("warm", "", "true or false"),
        ("listen_port", "http", "a whole number from 0 to 65535"),
        ("listen_port", "65536", "a whole number from 0 to 65535"),
        ("listen_port", "-1", "a whole number from 0 to 65535"),
        ("listen_port", "80.5", "a whole number from 0 to 65535"),
        ("listen_port", True, "a whole number from 0 to 65535"),
        ("workers", "0", "a whole number from 1"),
        ("workers", "0:4", "a model needs one worker at least, such as 1:4"),
        ("workers", "8:1", "the smaller number first, 1:8"),
        ("workers", "1:0", "a whole number from 1"),
        ("workers", "1:", "MIN:MAX, for example 1:8"),
        ("workers", "1-8", "MIN:MAX, for example 1:8"),
        ("workers", "-1:8", "MIN:MAX, for example 1:8"),
        ("predictions", "xml", "one of string, json"),
        ("log_level", "LOUD", "one of DEBUG, INFO, WARNING, ERROR, CRITICAL"),
        ("base_path", "/a b", "a path such as /x"),
        ("base_path", "/a/../b", "a path such as /x"),
        ("base_path", "/a//b", "a path such as /x"),
        ("base_path", "/{name}", "a path such as /x"),
    ],
)
def test_wrong_values(name: str, value: object, right: str) -> None:
    """The error for a wrong value describes the valid ones."""
    with pytest.raises(ValueError, match=right):
        parse_value(TABLE[name], value)


@pytest.mark.parametrize(
    "text",
    [
        "[DEFAULT]\nmodel_name = it's 100%\n",
        "[DEFAULT]\nmodel-name = it's 100%\n",
        "[DEFAULT]\nMODEL-NAME: it's 100%\n",
        '[DEFAULT]\nmodel-name = "it\'s 100%"\n',
        "\ufeff# A comment\n[DEFAULT]\nmodel-name = first\nmodel_name = it's 100%\n",
    ],
)
def test_file_spellings(conf: WriteConf, text: str) -> None:
    """Keys use - or _ and any case. Values are taken literally, except for quotes around them."""
    assert read(files=[conf(text)]).model_name == "it's 100%"


def test_later_files_win(conf: WriteConf, tmp_path: Path) -> None:
    """Files are read in the given order, then the *.conf files of each directory in sorted order."""
    files = [
        conf("[DEFAULT]\nworkers = 1\nlisten-port = 1\nbase-path = /1", "b.conf"),
        conf("[DEFAULT]\nworkers = 2\nlisten-port = 2\n", "a.conf"),
    ]
    conf("[DEFAULT]\nworkers = 4\n", "d/2.conf")
    conf("[DEFAULT]\nworkers = 3\n", "d/1.conf")
    conf("[DEFAULT]\nworkers = 9\n", "d/3.conf.old")
    found = read(files=files, dirs=[tmp_path / "d"])
    assert (found.workers, found.listen_port, found.base_path) == (WorkerRange(4, 4), 2, "/1")


def test_unknown_keys_are_accepted(conf: WriteConf, caplog: pytest.LogCaptureFixture) -> None:
    """Unknown keys and sections are ignored; one warning for each file lists them."""
    path = conf("[DEFAULT]\nuse_syslog = true\nworkers = 2\nlog-dir = /x\n[oslo]\na = 1\n")
    with caplog.at_level(logging.DEBUG):
        assert read(files=[path]).workers == WorkerRange(2, 2)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage() == f"{path}: unknown option use_syslog, log-dir, [oslo], ignored"


@pytest.mark.parametrize("key", ["listen-prot", "listen_prot", "Listen-Prot"])
def test_misspelt_key(conf: WriteConf, caplog: pytest.LogCaptureFixture, key: str) -> None:
    """A misspelt key is ignored too, and the warning suggests the right one."""
    path = conf(f"[DEFAULT]\n{key} = 5004\n")
    assert read(files=[path]).listen_port == 5000
    said = f"{path}: unknown option {key}, ignored. Did you mean listen-port?"
    assert [record.getMessage() for record in caplog.records] == [said]


def test_misspelt_variable(caplog: pytest.LogCaptureFixture) -> None:
    """A misspelt variable is ignored with a warning; variables of others, and internal ones, without."""
    ours = dict.fromkeys(["DEEPAAS_TRAINING", "DEEPAAS_TRAINING_STORE", "DEEPAAS_ARTIFACTS"], "x")
    others = {"DEEPAAS_MY_MODEL_WEIGHTS": "x", "DEEPAAS_WORKER": ""}
    read(environ={"DEEPAAS_V2_MODEL": "m", **ours, **others, "DEEPAAS_LISTEN_PROT": "5004"})
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    said = "unknown variable DEEPAAS_LISTEN_PROT, ignored. Did you mean DEEPAAS_LISTEN_PORT?"
    assert record.getMessage() == f"In the environment: {said}"


def test_known_keys_are_not_logged(conf: WriteConf, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        read(files=[conf("[DEFAULT]\nworkers = 2\n")])
    assert caplog.records == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[DEFAULT]\nlisten-port = http\n", ["listen-port is 'http'", "a whole number from 0 to 65535"]),
        ("[DEFAULT]\nwarm = perhaps\n", ["warm is 'perhaps'", "true or false"]),
        ("listen-port = 1\n", ["no section headers", "[DEFAULT]"]),
        ("[DEFAULT]\nlisten-port\n", ["cannot be parsed", "key = value"]),
    ],
)
def test_wrong_files(conf: WriteConf, text: str, words: list[str]) -> None:
    """The error for a wrong file is one line: file, key, value and the valid values."""
    path = conf(text)
    with pytest.raises(SettingsError) as caught:
        read(files=[path])
    assert "\n" not in caught.value.message
    for word in [str(path), *words]:
        assert word in caught.value.message


def test_file_that_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "x.conf"
    path.write_bytes(b"[DEFAULT]\nmodel-name = \xff\n")
    with pytest.raises(SettingsError, match="cannot be read: it is not UTF-8"):
        read(files=[path])


def test_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read: No such file"):
        read(files=[tmp_path / "none.conf"])


def test_named_directory_must_exist(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="none does not exist"):
        read(dirs=[tmp_path / "none"])


def test_wrong_variable_is_named() -> None:
    with pytest.raises(SettingsError, match="variable DEEPAAS_WORKERS: workers is 'x', expected a whole"):
        read(environ={"DEEPAAS_WORKERS": "x"})


def test_default_places_order() -> None:
    """The home directory comes before /etc; without a home directory, only /etc is used."""
    etc = [Path("/etc/deepaas/deepaas.conf"), Path("/etc/deepaas.conf")]
    home = [Path("/h/.deepaas/deepaas.conf"), Path("/h/deepaas.conf")]
    assert get_default_config_files({"HOME": "/h"}) == home + etc
    assert get_default_config_files({}) == etc


def test_first_default_place_wins(conf: WriteConf, tmp_path: Path) -> None:
    """Only the first existing default file is read."""
    conf("[DEFAULT]\nworkers = 3\nlisten-port = 3\n", "deepaas.conf")
    environ = {"HOME": str(tmp_path)}
    assert read(environ=environ).workers == WorkerRange(3, 3)
    conf("[DEFAULT]\nworkers = 2\n", ".deepaas/deepaas.conf")
    found = read(environ=environ)
    assert (found.workers, found.listen_port) == (WorkerRange(2, 2), 5000)


def test_named_file_replaces_default_places(conf: WriteConf, tmp_path: Path) -> None:
    conf("[DEFAULT]\nworkers = 3\n", "deepaas.conf")
    named = conf("[DEFAULT]\nlisten-port = 1\n", "named.conf")
    found = read(environ={"HOME": str(tmp_path)}, files=[named])
    assert (found.workers, found.listen_port) == (WorkerRange(1, 1), 1)
