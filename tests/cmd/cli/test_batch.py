"""Batches: one result for each file, despite failures, interruptions and parallel jobs."""

import collections
import contextlib
import hashlib
import json
import os
import pty
import re
import signal
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import IO

import psutil
import pytest

from support.cli import COMMAND, RUN_S, TOLD, begin, ended, lines, refused, returned, run, saved
from support.machine import timeout_s
from support.server import END_S, Gate, Output, environment, wait_until

pytestmark = pytest.mark.slow
BATCH = ["predict", "--data", "in", "--output-dir", "out"]


def put(folder: Path, contents: dict[str, str]) -> None:
    """Write the inputs."""
    for name, content in contents.items():
        path = folder / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def called(folder: Path) -> collections.Counter[str]:
    """Return how often the model received each file."""
    return collections.Counter((folder / "calls").read_text().split())


def results(folder: Path) -> set[str]:
    """Return the relative paths of all files in the output folder, except manifests."""
    files = (path for path in (folder / "out").rglob("*") if path.is_file())
    return {str(path.relative_to(folder / "out")) for path in files} - {"manifest.jsonl"}


def by_input(folder: Path) -> dict[str, dict[str, object]]:
    """Return the manifest's lines by input; each input has one line."""
    found = lines(folder / "out")
    assert len({line["input"] for line in found}) == len(found)
    return {line["input"]: line for line in found}


def test_folder(tmp_path: Path) -> None:
    """A folder yields a result and a line for each file; equal names do not clash."""
    put(tmp_path, {"a/x.txt": "one", "b/x.txt": "two", "b/x.csv": "three", ".hidden": "no"})
    summary = returned(run(tmp_path, *BATCH, "--times", "2"))
    assert summary == {"done": 3, "failed": 0, "skipped": 0, "left": 0, "manifest": "out/manifest.jsonl"}
    assert results(tmp_path) == {"a/x.txt.json", "b/x.txt.json", "b/x.csv.json"}
    assert (tmp_path / "out/b/x.txt.json").read_text() == '{"text":"twotwo"}'
    line = by_input(tmp_path)["in/b/x.txt"]
    assert line["sha256"] == hashlib.sha256(b"two").hexdigest()
    assert (line["output"], line["error"]) == ("b/x.txt.json", None)
    assert 0 < float(str(line["seconds"])) < RUN_S
    assert list((tmp_path / "scratch").iterdir()) == []


@pytest.mark.parametrize("text", ["in/*/*.txt", "in/**/*.txt", "@list.txt"])
def test_pattern_and_list(tmp_path: Path, text: str) -> None:
    """Patterns and lists also work; a second file argument is the same for all files."""
    put(tmp_path, {"a/x.txt": "one", "b/y.txt": "two", "b/z.csv": "three"})
    (tmp_path / "list.txt").write_text("in/a/x.txt\n\nin/b/y.txt\nin/a/x.txt\n")
    (tmp_path / "other").write_text("!")
    flags = ["--data", text, "--other", "other", "--accept", "image/png", "--output-dir", "out"]
    assert returned(run(tmp_path, "predict", *flags))["done"] == 2
    below = "in/" if text.startswith("@") else ""
    assert results(tmp_path) == {f"{below}a/x.txt.png", f"{below}b/y.txt.png"}
    assert (tmp_path / f"out/{below}b/y.txt.png").read_text() == "two!"


def test_output_in_the_input(tmp_path: Path) -> None:
    """Results in the folder of the inputs are not inputs."""
    put(tmp_path, {"x.txt": "one"})
    line = ["predict", "--data", "in", "--output-dir", "in/out"]
    assert returned(run(tmp_path, *line))["done"] == 1
    assert returned(run(tmp_path, *line))["done"] == 1


FAILING = {
    "a": "raise on purpose",
    "b": "die SIGSEGV",
    "c": "exit 3",
    "d": "good",
    "e": "good",
}


def test_failures(tmp_path: Path) -> None:
    """A failed input does not stop the others; resuming retries it."""
    put(tmp_path, FAILING)
    shown = run(tmp_path, *BATCH, "--deepaas-workers", "2")
    summary = returned(shown, 1)
    assert (summary["done"], summary["failed"], summary["left"]) == (2, 3, 0)
    found = by_input(tmp_path)
    for name, reason in {"a": "ValueError: on purpose", "b": "SIGSEGV", "c": "code 3"}.items():
        assert reason in str(found[f"in/{name}"]["error"])
        assert found[f"in/{name}"]["output"] is None
    assert "in/a: ValueError: on purpose\nTraceback (most recent call last):" in shown.stdout
    put(tmp_path, {"a": "mended"})
    assert returned(run(tmp_path, *BATCH, "--resume"), 1)["done"] == 1
    assert by_input(tmp_path)["in/a"]["error"] is None
    assert results(tmp_path) == {"a.json", "d.json", "e.json"}


def test_fail_fast(tmp_path: Path) -> None:
    put(tmp_path, {f"{number:02}": "good" for number in range(30)} | {"00": "raise"})
    summary = returned(run(tmp_path, *BATCH, "--fail-fast"), 1)
    assert summary["failed"] == 1
    assert summary["left"] > 20


def test_resume_by_content(tmp_path: Path) -> None:
    """Resuming skips finished inputs, unless content or arguments have changed."""
    put(tmp_path, {"a": "one", "b": "two", "c": "three"})
    returned(run(tmp_path, *BATCH))
    put(tmp_path, {"b": "another"})
    (tmp_path / "out/c.json").unlink()
    assert returned(run(tmp_path, *BATCH, "--resume"))["skipped"] == 1
    assert (tmp_path / "out/b.json").read_text() == '{"text":"another"}'
    assert called(tmp_path) == {"a": 1, "b": 2, "c": 2}
    assert returned(run(tmp_path, *BATCH, "--resume", "--times", "2"))["done"] == 3
    assert (tmp_path / "out/a.json").read_text() == '{"text":"oneone"}'
    assert len(by_input(tmp_path)) == 3


@pytest.mark.parametrize(("number", "count"), [(signal.SIGTERM, 500), (signal.SIGUSR1, 20)])
def test_stopped_half_way_and_resumed(tmp_path: Path, gate: Gate, number: signal.Signals, count: int) -> None:
    """A signal lets running predictions finish; resuming does the rest once."""
    half = count // 2
    put(tmp_path, {f"{index:03}": "good" for index in range(count)} | {f"{half:03}": f"wait {gate.port}"})
    with begin(tmp_path, *BATCH) as process:
        output = Output(process.stdout)
        output.start()
        gate.wait()
        for one in [*psutil.Process(process.pid).children(), process]:
            one.send_signal(number)
        output.wait_for(f"{number.name}: finishing")
        gate.open()
        assert process.wait(END_S) == 75, output.text
    done = by_input(tmp_path)
    assert half - 2 <= len(done) <= half + 2
    assert done[f"in/{half:03}"]["error"] is None
    assert len(results(tmp_path)) == len(done)
    summary = returned(run(tmp_path, *BATCH, "--resume", "--deepaas-workers", "2"))
    assert (summary["skipped"], summary["done"]) == (len(done), count - len(done))
    assert len(results(tmp_path)) == len(by_input(tmp_path)) == count
    assert called(tmp_path) == {f"{index:03}": 1 for index in range(count)}


def test_processes_of_a_model_can_be_terminated(tmp_path: Path) -> None:
    """Workers ignore SIGTERM, but processes that a model forks do not."""
    put(tmp_path, {"a": "fork"})
    assert returned(run(tmp_path, *BATCH))["done"] == 1


def test_second_signal(tmp_path: Path, gate: Gate) -> None:
    """A second signal cancels running predictions, which do not count as done."""
    put(tmp_path, {"a": f"wait {gate.port}", "b": "good"})
    with begin(tmp_path, *BATCH) as process:
        output = Output(process.stdout)
        output.start()
        gate.wait()
        process.send_signal(signal.SIGTERM)
        output.wait_for("SIGTERM: finishing")
        process.send_signal(signal.SIGTERM)
        assert process.wait(END_S) == 75, output.text
    assert "in/a" not in by_input(tmp_path)
    assert "a.json" not in results(tmp_path)
    assert list((tmp_path / "scratch").iterdir()) == []


def test_killed(tmp_path: Path, gate: Gate) -> None:
    """A killed batch can be resumed; an incomplete line of the manifest is ignored."""
    put(tmp_path, {"a": "good", "b": "good", "c": f"wait {gate.port}"})
    with begin(tmp_path, *BATCH, "--deepaas-workers", "2") as process:
        gate.wait()
        wait_until(lambda: len(lines(tmp_path / "out")) == 2)
        workers = psutil.Process(process.pid).children()
        process.kill()
        process.wait(END_S)
        assert not psutil.wait_procs(workers, END_S)[1]
        gate.open()
    manifest = tmp_path / "out" / "manifest.jsonl"
    manifest.write_bytes(manifest.read_bytes()[:-30])
    put(tmp_path, {"c": "good"})
    assert returned(run(tmp_path, *BATCH, "--resume"))["skipped"] == 1
    assert len(by_input(tmp_path)) == 3


def test_shards_at_once(tmp_path: Path) -> None:
    """Four parallel tasks share an output folder: one result and one line per input."""
    names = [f"{folder}/{index}.txt" for folder in "ab" for index in range(21)]
    put(tmp_path, dict.fromkeys(names, "good"))
    with ExitStack() as stack:
        tasks = [stack.enter_context(begin(tmp_path, *BATCH, env=task(k))) for k in (1, 2, 3, 4)]
        done = [returned(ended(one))["done"] for one in tasks]
    assert sorted(done) == [10, 10, 11, 11]
    assert len(by_input(tmp_path)) == len(names)
    assert results(tmp_path) == {f"{name}.json" for name in names}
    assert sum(called(tmp_path).values()) == len(names)
    again = returned(run(tmp_path, *BATCH, "--resume", "--shard", "2/3"))
    assert (again["skipped"], again["done"]) == (14, 0)


def task(number: int) -> dict[str, str]:
    """Return the environment of a task in a SLURM array job with tasks 3, 5, 7 and 9."""
    values = {"ID": 2 * number + 1, "MIN": 3, "MAX": 9, "STEP": 2, "COUNT": 4}
    return {f"SLURM_ARRAY_TASK_{name}": str(value) for name, value in values.items()}


def test_shard_stopped_and_resumed(tmp_path: Path, gate: Gate) -> None:
    """The last shard merges the manifests, also after an interruption."""
    put(tmp_path, {"a": "good", "b": "good", "c": f"wait {gate.port}", "d": "good", "e": "good"})
    with begin(tmp_path, *BATCH, "--shard", "1/2") as process:
        gate.wait()
        process.send_signal(signal.SIGTERM)
        assert returned(run(tmp_path, *BATCH, "--shard", "2/2"))["done"] == 2
        gate.open()
        assert process.wait(END_S) == 75
    assert not (tmp_path / "out" / "manifest.jsonl").exists()
    assert returned(run(tmp_path, *BATCH, "--shard", "1/2", "--resume"))["left"] == 0
    assert len(by_input(tmp_path)) == 5
    assert len(results(tmp_path)) == 5
    assert set(called(tmp_path).values()) == {1}


def test_progress_on_a_terminal(tmp_path: Path) -> None:
    """A bar shows the progress, the rate and the remaining time."""
    put(tmp_path, dict.fromkeys("abc", "good"))
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        shown = subprocess.Popen(
            [*COMMAND, *BATCH],
            cwd=tmp_path,
            env=environment(tmp_path, TOLD, {}),
            stdout=subprocess.PIPE,
            stderr=theirs,
        )
        os.close(theirs)
        with shown:
            text = read_terminal(terminal)
            assert shown.stdout
            plain = shown.stdout.read().decode()
    assert re.search(r"3/3  \d+\.\d/s, 0:00:00 to go", text), text
    assert "3 of 3" not in plain


def read_terminal(terminal: IO[bytes]) -> str:
    """Return the output of a terminal until all writers have closed it."""
    chunks = []
    with contextlib.suppress(OSError):
        while chunk := terminal.read(1 << 16):
            chunks.append(chunk)
    return b"".join(chunks).decode()


def test_progress_in_a_log(tmp_path: Path) -> None:
    """Without a terminal, log lines show the progress, at least at the end."""
    put(tmp_path, dict.fromkeys("abc", "good"))
    shown = run(tmp_path, *BATCH)
    assert re.search(r"INFO deepaas\.cmd\.cli \[-\] 3 of 3, \d+\.\d/s, 0:00:00 to go\n", shown.stdout)
    assert "\r" not in shown.stdout + shown.stderr


def test_taken_name(tmp_path: Path) -> None:
    """A batch option with the name of an argument gets a prefix."""
    put(tmp_path, {"a": "good"})
    assert returned(run(tmp_path, *BATCH, "--deepaas-workers", "2", "--workers", "theirs"))["done"] == 1
    assert "--deepaas-workers" in refused(run(tmp_path, *BATCH, "--deepaas-workers", "0"))


def test_model_that_cannot_be_warmed(tmp_path: Path) -> None:
    """The batch exits with 1 and the reason, and no input counts as failed."""
    put(tmp_path, {"a": "good"})
    (tmp_path / "cold.py").write_text(
        "from marshmallow import fields\n"
        "def warm(): raise OSError('weights are missing')\n"
        "def get_predict_args(): return {'data': fields.Raw(metadata={'type': 'file'})}\n"
        "def predict(data): return 1\n"
    )
    shown = run(tmp_path, "--model", "cold.py", *BATCH, models={})
    assert shown.returncode == 1
    assert "Error: The model 'cold' cannot be used: OSError: weights are missing" in shown.stderr
    assert lines(tmp_path / "out") == []
    assert returned(run(tmp_path, "--model", "cold.py", "--nowarm", *BATCH, models={}))["done"] == 1


def test_manifest_that_cannot_be_written(tmp_path: Path) -> None:
    """A full disk exits with 1; complete manifest lines are not repeated."""
    put(tmp_path, {f"{index:02}": "good" for index in range(30)})
    limited = ["sh", "-c", 'ulimit -f 2; exec "$@"', "sh", *COMMAND, *BATCH]
    env = environment(tmp_path, TOLD, {})
    full = subprocess.run(limited, cwd=tmp_path, env=env, text=True, capture_output=True, check=False)
    assert full.returncode == 1
    assert full.stderr.splitlines()[-1] == "Error: [Errno 27] File too large"
    summary = returned(run(tmp_path, *BATCH, "--resume"))
    assert 0 < summary["skipped"] < 30
    assert len(by_input(tmp_path)) == 30


def test_prediction_that_takes_too_long(tmp_path: Path, gate: Gate) -> None:
    """With --predict-timeout, only the input that takes too long fails."""
    put(tmp_path, {"a": f"wait {gate.port}", "b": "good"})
    longest_s = timeout_s(2)
    assert returned(run(tmp_path, *BATCH, "--predict-timeout", str(longest_s)), 1)["done"] == 1
    assert f"longer than {longest_s:g} s" in str(by_input(tmp_path)["in/a"]["error"])


TOGETHER = """
import time
from marshmallow import fields
def get_predict_args():
    return {"data": fields.Raw(metadata={"type": "file"})}
def predict_batch(calls):
    time.sleep(0.05)  # long enough for other calls to queue
    return [{"together": len(calls), "text": open(call["data"].filename).read()} for call in calls]
"""
STREAMING = """
from marshmallow import fields
def get_predict_args():
    return {"data": fields.Raw(metadata={"type": "file"})}
def predict(data):
    for letter in open(data.filename).read():
        yield {"letter": letter}
"""


@pytest.mark.parametrize("source", [TOGETHER, STREAMING])
def test_other_ways_to_predict(tmp_path: Path, source: str) -> None:
    """predict_batch receives batches; the items of a stream become lines of one result."""
    (tmp_path / "model.py").write_text(source)
    put(tmp_path, {f"{index:02}": f"{index:02}" for index in range(40)})
    assert returned(run(tmp_path, "--model", "model.py", *BATCH, models={}))["done"] == 40
    if source == STREAMING:
        assert (tmp_path / "out/07.ndjson").read_text() == '{"letter":"0"}\n{"letter":"7"}\n'
    else:
        found = [json.loads((tmp_path / f"out/{index:02}.json").read_text()) for index in range(40)]
        assert [one["text"] for one in found] == [f"{index:02}" for index in range(40)]
        assert max(one["together"] for one in found) > 1


def test_stream(tmp_path: Path) -> None:
    """A single streamed prediction is printed as a list, or written as lines."""
    (tmp_path / "model.py").write_text(STREAMING)
    put(tmp_path, {"a": "ab"})
    line = ["predict", "--data", "in/a"]
    shown = run(tmp_path, "--model", "model.py", *line, models={})
    assert returned(shown) == [{"letter": "a"}, {"letter": "b"}]
    options = ["--model", "model.py", "--deepaas_method_output", "result"]
    assert saved(run(tmp_path, *options, *line, models={})) == "result.ndjson"
    assert (tmp_path / "result.ndjson").read_text() == '{"letter":"a"}\n{"letter":"b"}\n'
