"""Choice of a process's shard by flag or by the variables of an array job."""

import pytest

from deepaas.batch.shards import Shard, resolve_shard

SLURM = "SLURM_ARRAY_TASK_"
CHOICES = [
    ("", {}, Shard(1, 1)),
    ("3/16", {}, Shard(3, 16)),
    ("3/16", {f"{SLURM}ID": "7", f"{SLURM}MIN": "0", f"{SLURM}MAX": "9"}, Shard(3, 16)),
    ("", {f"{SLURM}ID": "7", f"{SLURM}MIN": "0", f"{SLURM}MAX": "9", f"{SLURM}COUNT": "10"}, Shard(8, 10)),
    ("", {f"{SLURM}ID": "5", f"{SLURM}MIN": "1", f"{SLURM}MAX": "9", f"{SLURM}STEP": "2"}, Shard(3, 5)),
    ("", {f"{SLURM}ID": "2", f"{SLURM}COUNT": "4"}, Shard(2, 4)),
    (
        "",
        {"SGE_TASK_ID": "6", "SGE_TASK_FIRST": "2", "SGE_TASK_LAST": "8", "SGE_TASK_STEPSIZE": "2"},
        Shard(3, 4),
    ),
    ("", {"SGE_TASK_ID": "undefined", "SGE_TASK_LAST": "undefined"}, Shard(1, 1)),
    ("/16", {"PBS_ARRAY_INDEX": "3"}, Shard(3, 16)),
    ("/16", {"PBS_ARRAYID": "0"}, Shard(16, 16)),
    ("/2", {"PBS_ARRAY_INDEX": "8"}, Shard(2, 2)),
]


@pytest.mark.parametrize(("text", "environ", "shard"), CHOICES)
def test_shard_choice(text: str, environ: dict[str, str], shard: Shard) -> None:
    """The flag overrides the variables of SLURM, SGE and PBS; without either, there is one shard."""
    assert resolve_shard(text, environ) == shard


@pytest.mark.parametrize(
    ("text", "environ", "words"),
    [
        ("0/4", {}, "from 1 to 4"),
        ("5/4", {}, "from 1 to 4"),
        ("1/0", {}, "such as 3/16"),
        ("x", {}, "such as 3/16"),
        ("/4", {}, "not the task of an array job"),
        ("", {"PBS_ARRAY_INDEX": "3"}, "PBS does not report the number of tasks"),
        (
            "",
            {f"{SLURM}ID": "7", f"{SLURM}MIN": "1", f"{SLURM}MAX": "9", f"{SLURM}COUNT": "3"},
            "not evenly numbered",
        ),
    ],
)
def test_refused(text: str, environ: dict[str, str], words: str) -> None:
    """An invalid shard is refused; the error shows a valid one."""
    with pytest.raises(ValueError, match=words):
        resolve_shard(text, environ)


@pytest.mark.parametrize("first", [0, 1, 5])
def test_tasks_of_any_numbers(first: int) -> None:
    """Array jobs may start at any number."""
    tasks = [resolve_shard("/4", {"PBS_ARRAY_INDEX": str(number)}) for number in range(first, first + 4)]
    assert sorted(task.number for task in tasks) == [1, 2, 3, 4]


def test_shares() -> None:
    """The shards together select every item once and have nearly the same size."""
    shares = [Shard(number, 4).select(range(10)) for number in (1, 2, 3, 4)]
    assert sorted(item for share in shares for item in share) == list(range(10))
    assert {len(share) for share in shares} == {2, 3}
