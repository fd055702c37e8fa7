"""The table of options: the fields of `Settings`. Adding an option is adding a field."""

import dataclasses
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple, Self, TypeVar

_PATTERN = re.compile(r"(\d+)(?:\s*:\s*(\d+))?", re.ASCII)
EXPECTED_FORMAT = "a whole number from 1, or the least and the most as MIN:MAX, such as 1:8"


class WorkerRange(NamedTuple):
    """The least and the most workers that a model may have."""

    min: int
    max: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return what `4` or `1:8` says, or raise ValueError with words that say what would be right."""
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


@dataclasses.dataclass(frozen=True, kw_only=True)
class Option:
    """One row of the table: what can be set, and which values are right."""

    name: str
    default: OptionValue
    help: str
    short: str | None
    choices: tuple[str, ...]
    minimum: float | None
    maximum: float | None
    parse: Callable[[str], OptionValue] | None
    metavar: str
    extra_env_vars: tuple[str, ...]
    has_flag: bool

    @property
    def type(self) -> type[OptionValue]:
        """The type of the option's values, which is that of its default."""
        return type(self.default)

    @property
    def cli_name(self) -> str:
        """The name as people write it: `listen-ip`."""
        return self.name.replace("_", "-")

    @property
    def env_vars(self) -> tuple[str, ...]:
        """The environment variables that set it; the first one that is not empty wins."""
        return (f"DEEPAAS_{self.name.upper()}", *self.extra_env_vars)

    @property
    def expected_text(self) -> str:
        """What would be right, in words."""
        if self.type is bool:
            return "true or false"
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        if self.type is str:
            return "text"
        return " ".join(["a whole number" if self.type is int else "a number", *self._describe_bounds()])

    def _describe_bounds(self) -> Iterator[str]:
        """Yield what the words say about the smallest and the largest number."""
        if self.minimum is not None:
            yield f"from {self.minimum}"
        if self.maximum is not None:
            yield f"to {self.maximum}"


def option(
    default: T,
    text: str,
    *,
    short: str | None = None,
    choices: tuple[str, ...] = (),
    minimum: float | None = None,
    maximum: float | None = None,
    parse: Callable[[str], OptionValue] | None = None,
    metavar: str = "",
    env_vars: tuple[str, ...] = (),
    has_flag: bool = True,
) -> T:
    """Return the field of one option; `text` is its help, the type is that of `default`.

    `parse` returns the value that a text stands for, or raises ValueError with words that say what would be
    right. `metavar` is how values are written, for help that cannot tell it from their type.
    `env_vars` are environment variables besides `DEEPAAS_<NAME>`. Without `has_flag`, the option is not one
    of the command line, which other users of a machine can read.
    """
    row = {
        "default": default,
        "help": text,
        "short": short,
        "choices": choices,
        "minimum": minimum,
        "maximum": maximum,
        "parse": parse,
        "metavar": metavar,
        "extra_env_vars": env_vars,
        "has_flag": has_flag,
    }
    return dataclasses.field(default=default, metadata=row)


def normalize_base_path(text: str) -> str:
    """Return a base path as `""` or `/x`, or raise ValueError."""
    path = "/" + text.strip().strip("/")
    if path == "/":
        return ""
    if not re.fullmatch(r"(/(?!\.\.?(/|$))[\w.~-]+)+", path, re.ASCII):
        raise ValueError("a path such as /x or /x/y, of letters, digits and the characters - . _ ~")
    return path


def normalize_hosts(text: str) -> str:
    """Return names of hosts as browsers write them, separated by commas, or raise ValueError."""
    hosts = [host.strip().lower().strip("[]").removesuffix(".") for host in text.split(",") if host.strip()]
    if not all(re.fullmatch(r"\*|[\w.-]+|[0-9a-f:.]+", host) for host in hosts):
        raise ValueError("names of hosts, separated by commas and without ports, such as models.example.org")
    return ",".join(hosts)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """What the server was told; the fields are the table of options."""

    listen_ip: str = option("127.0.0.1", "Address to listen on; 0.0.0.0 is every IPv4 address.")
    listen_port: int = option(
        5000, "Port to listen on; 0 lets the system choose one.", minimum=0, maximum=65535
    )
    base_path: str = option("", "Path that everything is served below.", parse=normalize_base_path)
    model_name: str = option(
        "",
        "Installed model to use; without it, the server serves all. With --model, the name of that model.",
        env_vars=("DEEPAAS_V2_MODEL",),
    )
    model: str = option(
        "",
        "Model to use without an entry point: ./model.py, package.module or package.module:Class.",
    )
    workers: WorkerRange = option(  # noqa: RUF009 - a scale never changes
        WorkerRange(1, 1),
        "Number of worker processes of each model; 1:8 starts with 1, and has up to 8 while calls wait.",
        short="-p",
        parse=WorkerRange.parse,
        metavar="N|MIN:MAX",
    )
    scale_down_after: float = option(
        60.0, "Seconds that a worker beyond MIN of --workers may be idle until it is ended.", minimum=0.1
    )
    engine: str = option(
        "local",
        "Where workers and trainings run: on this machine, or on the Ray cluster that it is part of.",
        choices=("local", "ray"),
    )
    ray_address: str = option(
        "auto", "Address of the Ray cluster, HOST:PORT; auto is the one on this machine."
    )
    worker_cpus: float = option(1.0, "Processors that Ray sets aside for each worker.", minimum=0)
    worker_gpus: float = option(
        0.0, "Graphics processors that Ray sets aside for each worker; 0.5 lets two share one.", minimum=0
    )
    train_cpus: float = option(1.0, "Processors that Ray sets aside for each training.", minimum=0)
    train_gpus: float = option(0.0, "Graphics processors that Ray sets aside for each training.", minimum=0)
    max_batch_size: int = option(
        32, "Most predictions that a model's predict_batch() makes at once; with 1, each is alone.", minimum=1
    )
    batch_timeout: float = option(
        0.0, "Seconds that a prediction may wait for others to be made in one batch with it.", minimum=0
    )
    predict_timeout: float = option(
        0.0,
        "Seconds that a prediction may run before it fails and its worker is replaced; 0 is no limit.",
        minimum=0,
    )
    worker_start_timeout: float = option(
        0.0,
        "Seconds that a worker may take to import and warm its model before another is tried; 0 is no limit.",
        minimum=0,
    )
    max_queue: int = option(1000, "Predictions of a model that may wait; more are refused.", minimum=1)
    cancel_on_disconnect: bool = option(
        default=False, text="Kill the worker that makes a prediction for a client that has left."
    )
    client_max_size: int = option(
        0, "Largest request body that is read, in bytes, decompressed; 0 is no limit.", minimum=0
    )
    max_memory_body: int = option(
        64 << 20,
        "Largest JSON body, or texts of a form together, in bytes; files are not counted.",
        minimum=1024,
    )
    warm: bool = option(default=True, text="Call the model's warm() before the first request.")
    predict_endpoint: bool = option(default=True, text="Serve predictions.")
    train_endpoint: bool = option(default=True, text="Serve trainings.")
    state_dir: str = option(
        "", "Folder of trainings and of what they leave; without it, the user's state folder."
    )
    database_url: str = option(
        "",
        "Database of the training records, as an SQLAlchemy URL; without it, SQLite in the state folder.",
    )
    max_trainings: int = option(1, "Number of trainings that run at a time; more wait.", minimum=1)
    train_mode: str = option(
        "shared",
        "Whether workers go on while a training runs (shared), or are stopped until it ends (exclusive).",
        choices=("shared", "exclusive"),
    )
    keep_trainings: str = option(
        "", "Finished trainings to keep of each model: a number, or an age such as 30d; without it, all."
    )
    reload_after_train: bool = option(
        default=False,
        text="Replace the workers when a training has ended well, so that they use what it made.",
    )
    cancel_grace: float = option(
        5.0, "Seconds that a cancelled training has to end by itself before it is killed.", minimum=0
    )
    train_heartbeat_timeout: float = option(
        120.0,
        "Seconds without a heartbeat from another machine after which its trainings count as lost.",
        minimum=10,
    )
    drain_timeout: float = option(
        30.0, "Seconds that requests have to end when the server is told to stop.", minimum=0
    )
    train_on_shutdown: str = option(
        "cancel",
        "What to do with running trainings when the server stops; the next start takes over detached ones.",
        choices=("cancel", "detach"),
    )
    auth_token_file: str = option(
        "",
        "File of tokens that requests must bear: on each line a token, and its scopes: predict,train,admin.",
    )
    auth_token: str = option("", "A token with all scopes.", has_flag=False)
    tls_cert: str = option("", "File of the certificate chain to serve HTTPS with.")
    tls_key: str = option("", "File of the certificate's private key.")
    cors_origin: str = option(
        "", "Origins, separated by commas, whose pages may call this server; * is every origin."
    )
    allowed_hosts: str = option(
        "",
        "Host names that requests may name, separated by commas; * is every name.",
        parse=normalize_hosts,
    )
    max_header_size: int = option(
        8190, "Longest request line or header that is read, in bytes.", minimum=1024
    )
    header_timeout: float = option(
        20.0, "Seconds that a new connection has to send a request's headers.", minimum=0.1
    )
    body_timeout: float = option(
        30.0,
        "Seconds that a body may pause before its sender, or a stream's reader, is cut off.",
        minimum=0.1,
    )
    keepalive_timeout: float = option(
        75.0, "Seconds that a connection without a request is kept open.", minimum=0.1
    )
    fast_path: bool = option(
        default=True, text="Answer small predictions without aiohttp's routing; switch it off to find faults."
    )
    doc_endpoint: bool = option(default=True, text="Serve the documentation pages.")
    debug_endpoint: bool = option(
        default=False, text="Serve what models printed and logged; whoever reaches the server can read it."
    )
    predictions: str = option(
        "string",
        "Value of 'predictions' in an answer without a schema: a string holding it, or its JSON.",
        choices=("string", "json"),
    )
    debug: bool = option(default=False, text="Log everything, as --log-level DEBUG does.")
    log_file: str = option("", "File that log lines are appended to, instead of being printed.")
    log_format: str = option("text", "Form of log lines.", choices=("text", "json"))
    log_level: str = option(
        "INFO", "Least level that is logged.", choices=("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
    )


def list_options() -> tuple[Option, ...]:
    """Return the table, in the order of the fields."""
    return tuple(Option(name=field.name, **field.metadata) for field in dataclasses.fields(Settings))


def parse_value(row: Option, value: object) -> OptionValue:
    """Return `value`, a text or already typed, as `row` has it, or raise ValueError saying what is right."""
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
    """Return the truth that `value` spells in any case."""
    word = str(value).strip().lower()
    if word not in TRUE_WORDS + FALSE_WORDS:
        raise ValueError("true or false")
    return word in TRUE_WORDS


def _parse_choice(row: Option, word: str) -> str:
    """Return the choice that `word` spells in any case."""
    for choice in row.choices:
        if choice.casefold() == word.casefold():
            return choice
    raise ValueError(row.expected_text)


def _parse_number(row: Option, value: object) -> OptionValue:
    """Return the number within the bounds of `row`."""
    try:
        number = int(str(value)) if row.type is int else float(str(value))
    except ValueError:
        raise ValueError(row.expected_text) from None
    low = float("-inf") if row.minimum is None else row.minimum
    high = float("inf") if row.maximum is None else row.maximum
    if not low <= number <= high:
        raise ValueError(row.expected_text)
    return number
