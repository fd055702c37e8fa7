"""The table of options: the fields of `Settings`. Adding an option is adding a field."""

import dataclasses
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Self, TypeVar

_PATTERN = re.compile(r"(\d+)(?:\s*:\s*(\d+))?", re.ASCII)
EXPECTED_FORMAT = "a whole number from 1, or MIN:MAX, for example 1:8"


class WorkerRange(NamedTuple):
    """The minimum and maximum number of workers of a model."""

    min: int
    max: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse `4` or `1:8`, or raise `ValueError` with the expected format."""
        found = _PATTERN.fullmatch(text.strip())
        if not found:
            raise ValueError(EXPECTED_FORMAT)
        least, most = int(found[1]), int(found[2] or found[1])
        if most < least:
            raise ValueError(f"the smaller number first, {most}:{least}" if most else EXPECTED_FORMAT)
        if not least:
            reason = f": a model needs one worker at least, such as 1:{most}" if most else ""
            raise ValueError(f"a whole number from 1{reason}")
        return cls(least, most)

    def __str__(self) -> str:
        return str(self.min) if self.min == self.max else f"{self.min}:{self.max}"


OptionValue = str | int | float | bool | WorkerRange
T = TypeVar("T", str, int, float, bool, WorkerRange)

TRUE_WORDS = ("true", "yes", "on", "1")
FALSE_WORDS = ("false", "no", "off", "0")


SERVER, MODEL, WORKERS, LIMITS = "Server", "Model", "Workers", "Limits"
TRAININGS, SECURITY, LOGGING, RAY = "Trainings", "Security", "Logging", "Ray"
"""The groups of options, as in the help."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Option:
    """One row of the table: an option's names, its help and its valid values.

    `group` is its section of the help. `parse` converts a text to a value, or raises `ValueError` with the
    expected format. `metavar` stands for the value in the help where the type is not enough. `extra_env_vars`
    are environment variables besides `DEEPAAS_<NAME>`. Without `has_flag` there is no flag, which other users
    of the machine could read.
    """

    name: str = ""
    group: str
    default: OptionValue
    help: str
    short: str | None = None
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    parse: Callable[[str], OptionValue] | None = None
    metavar: str = ""
    extra_env_vars: tuple[str, ...] = ()
    has_flag: bool = True

    @property
    def type(self) -> type[OptionValue]:
        """The type of the option's values."""
        return type(self.default)

    @property
    def cli_name(self) -> str:
        """The name on the command line and in config files: `listen-ip`."""
        return self.name.replace("_", "-")

    @property
    def env_vars(self) -> tuple[str, ...]:
        """The environment variables that set it; the first one that is not empty wins."""
        return (f"DEEPAAS_{self.name.upper()}", *self.extra_env_vars)

    @property
    def expected_text(self) -> str:
        """A description of the valid values."""
        if self.type is bool:
            return "true or false"
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        if self.type is str:
            return "text"
        return " ".join(["a whole number" if self.type is int else "a number", *self._describe_bounds()])

    def _describe_bounds(self) -> Iterator[str]:
        if self.minimum is not None:
            yield f"from {self.minimum}"
        if self.maximum is not None:
            yield f"to {self.maximum}"


def option(group: str, default: T, text: str, **attributes: Any) -> T:
    """Return the field of one option of the type of `default`; `attributes` are those of `Option`."""
    row = Option(group=group, default=default, help=text, **attributes)
    return dataclasses.field(default=default, metadata={"option": row})


def normalize_base_path(text: str) -> str:
    """Return a base path as `""` or `/x`, or raise `ValueError` with the expected format."""
    path = "/" + text.strip().strip("/")
    if path == "/":
        return ""
    if not re.fullmatch(r"(/(?!\.\.?(/|$))[\w.~-]+)+", path, re.ASCII):
        raise ValueError("a path such as /x or /x/y, of letters, digits and the characters - . _ ~")
    return path


def normalize_hosts(text: str) -> str:
    """Return comma-separated host names as browsers write them, or raise `ValueError`."""
    hosts = [host.strip().lower().strip("[]").removesuffix(".") for host in text.split(",") if host.strip()]
    if not all(re.fullmatch(r"\*|[\w.-]+|[0-9a-f:.]+", host) for host in hosts):
        raise ValueError("names of hosts, separated by commas and without ports, such as models.example.org")
    return ",".join(hosts)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """The settings of a server; the fields are the table of options."""

    listen_ip: str = option(SERVER, "127.0.0.1", "Address to listen on; 0.0.0.0 for all IPv4 interfaces.")
    listen_port: int = option(
        SERVER, 5000, "Port to listen on; 0 for any free port.", minimum=0, maximum=65535
    )
    base_path: str = option(SERVER, "", "URL prefix of all routes.", parse=normalize_base_path)
    predict_endpoint: bool = option(SERVER, default=True, text="Serve predictions.")
    train_endpoint: bool = option(SERVER, default=True, text="Serve trainings.")
    doc_endpoint: bool = option(SERVER, default=True, text="Serve the web UI and the API documentation.")
    debug_endpoint: bool = option(
        SERVER, default=False, text="Serve the output of models at /v2/debug, with tokens to admins only."
    )
    predictions: str = option(
        SERVER,
        "string",
        "Type of 'predictions' in responses without a schema: JSON in a string, or JSON.",
        choices=("string", "json"),
    )
    fast_path: bool = option(
        SERVER, default=True, text="Handle small predictions without aiohttp's request objects."
    )
    drain_timeout: float = option(
        SERVER, 30.0, "Time for running requests to finish at shutdown (seconds).", minimum=0
    )
    model_name: str = option(
        MODEL,
        "",
        "Name of the installed model; with --model, the name to use for that model.",
        extra_env_vars=("DEEPAAS_V2_MODEL",),
    )
    model: str = option(
        MODEL, "", "Model without an entry point: ./model.py, package.module, package.module:Class."
    )
    warm: bool = option(MODEL, default=True, text="Call the model's warm() before it is used.")
    describer: str = option(
        MODEL,
        "keep",
        "Keep the process that describes a model, or let it exit after its start.",
        choices=("keep", "exit"),
    )
    workers: WorkerRange = option(  # noqa: RUF009 - a range never changes
        WORKERS,
        WorkerRange(1, 1),
        "Worker processes per model; 1:8 scales from 1 to 8 with the load.",
        short="-p",
        parse=WorkerRange.parse,
        metavar="N|MIN:MAX",
    )
    scale_down_after: float = option(
        WORKERS, 60.0, "Idle time before a worker beyond MIN is stopped (seconds).", minimum=0.1
    )
    worker_start_timeout: float = option(
        WORKERS, 0.0, "Time limit for loading and warming a model (seconds; 0 for none).", minimum=0
    )
    max_batch_size: int = option(
        WORKERS, 32, "Maximum number of predictions in one call of predict_batch().", minimum=1
    )
    batch_timeout: float = option(
        WORKERS, 0.0, "Maximum time to wait for more predictions before a batch runs (seconds).", minimum=0
    )
    cancel_on_disconnect: bool = option(
        WORKERS, default=False, text="Kill the worker of a prediction whose client has disconnected."
    )
    engine: str = option(
        WORKERS,
        "local",
        "Where workers and trainings run: on this machine or on a Ray cluster.",
        choices=("local", "ray"),
    )
    predict_timeout: float = option(
        LIMITS, 0.0, "Time limit for a prediction; its worker is killed (seconds; 0 for none).", minimum=0
    )
    metadata_timeout: float = option(
        LIMITS, 5.0, "Time limit for get_metadata(); then the last metadata is sent (seconds).", minimum=0.1
    )
    max_queue: int = option(LIMITS, 1000, "Maximum number of queued predictions per model.", minimum=1)
    client_max_size: int = option(
        LIMITS, 0, "Maximum size of a decompressed request body (bytes; 0 for none).", minimum=0
    )
    max_memory_body: int = option(
        LIMITS, 64 << 20, "Maximum size of JSON, or of a form without its files (bytes).", minimum=1024
    )
    max_header_size: int = option(
        LIMITS, 8190, "Maximum length of the request line and of each header (bytes).", minimum=1024
    )
    header_timeout: float = option(
        LIMITS, 20.0, "Time for a new connection to send its request headers (seconds).", minimum=0.1
    )
    body_timeout: float = option(
        LIMITS, 30.0, "Maximum pause while a client sends or reads a body (seconds).", minimum=0.1
    )
    keepalive_timeout: float = option(
        LIMITS, 75.0, "Time before an idle connection is closed (seconds).", minimum=0.1
    )
    state_dir: str = option(
        TRAININGS, "", "Folder of training records and files, instead of the user's state folder."
    )
    database_url: str = option(
        TRAININGS, "", "SQLAlchemy URL of the training records, instead of SQLite in --state-dir."
    )
    max_trainings: int = option(
        TRAININGS, 1, "Maximum number of trainings that run at the same time.", minimum=1
    )
    train_mode: str = option(
        TRAININGS,
        "shared",
        "Workers during a training: kept (shared) or stopped (exclusive).",
        choices=("shared", "exclusive"),
    )
    keep_trainings: str = option(
        TRAININGS, "", "Finished trainings to keep per model: a number, or an age such as 30d."
    )
    reload_after_train: bool = option(
        TRAININGS, default=False, text="Reload the workers after each successful training."
    )
    cancel_grace: float = option(
        TRAININGS, 5.0, "Time for a cancelled training to exit before it is killed (seconds).", minimum=0
    )
    train_on_shutdown: str = option(
        TRAININGS,
        "cancel",
        "Running trainings at shutdown: cancelled, or detached for the next start.",
        choices=("cancel", "detach"),
    )
    train_heartbeat_timeout: float = option(
        TRAININGS, 120.0, "Time without a heartbeat until trainings are marked lost (seconds).", minimum=10
    )
    auth_token_file: str = option(
        SECURITY, "", "File with a token and its scopes on each line: TOKEN predict,train,admin."
    )
    auth_token: str = option(SECURITY, "", "Token with all scopes.", has_flag=False)
    tls_cert: str = option(SECURITY, "", "File with the certificate chain for HTTPS.")
    tls_key: str = option(SECURITY, "", "File with the private key of the certificate.")
    cors_origin: str = option(
        SECURITY, "", "Origins whose pages may call the server, separated by commas; * for all."
    )
    allowed_hosts: str = option(
        SECURITY,
        "",
        "Host names that requests may use, separated by commas; * for all.",
        parse=normalize_hosts,
    )
    debug: bool = option(LOGGING, default=False, text="Log everything, like --log-level DEBUG.")
    log_file: str = option(LOGGING, "", "File that log lines are appended to, instead of being printed.")
    log_format: str = option(LOGGING, "text", "Format of log lines.", choices=("text", "json"))
    log_level: str = option(
        LOGGING,
        "INFO",
        "Minimum log level.",
        choices=("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"),
    )
    ray_address: str = option(
        RAY, "auto", "Address of the Ray cluster, HOST:PORT; auto for the one on this machine."
    )
    worker_cpus: float = option(RAY, 1.0, "CPUs that Ray reserves for each worker.", minimum=0)
    worker_gpus: float = option(
        RAY, 0.0, "GPUs that Ray reserves for each worker; with 0.5, two share one.", minimum=0
    )
    train_cpus: float = option(RAY, 1.0, "CPUs that Ray reserves for each training.", minimum=0)
    train_gpus: float = option(RAY, 0.0, "GPUs that Ray reserves for each training.", minimum=0)


def list_options() -> tuple[Option, ...]:
    """Return the table of options, in the order of the fields."""
    return tuple(
        dataclasses.replace(field.metadata["option"], name=field.name)
        for field in dataclasses.fields(Settings)
    )


def parse_value(row: Option, value: object) -> OptionValue:
    """Convert `value` to the type of the option, or raise `ValueError` with the expected format."""
    if row.type is bool:
        return _parse_bool(value)
    if row.choices:
        return _parse_choice(row, str(value).strip())
    if row.parse is not None:
        return row.parse(str(value))
    if row.type is str:
        return str(value)
    return _parse_number(row, value)


def _parse_bool(value: object) -> bool:
    word = str(value).strip().lower()
    if word not in TRUE_WORDS + FALSE_WORDS:
        raise ValueError("true or false")
    return word in TRUE_WORDS


def _parse_choice(row: Option, word: str) -> str:
    """Return the choice that equals `word`, ignoring case."""
    for choice in row.choices:
        if choice.casefold() == word.casefold():
            return choice
    raise ValueError(row.expected_text)


def _parse_number(row: Option, value: object) -> OptionValue:
    try:
        number = int(str(value)) if row.type is int else float(str(value))
    except ValueError:
        raise ValueError(row.expected_text) from None
    low = float("-inf") if row.minimum is None else row.minimum
    high = float("inf") if row.maximum is None else row.maximum
    if not low <= number <= high:
        raise ValueError(row.expected_text)
    return number
