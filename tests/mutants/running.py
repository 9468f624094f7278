"""One module after the other: all its mutants, and whether the tests notice."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from cosmic_ray import plugins
from cosmic_ray.commands import init
from cosmic_ray.mutating import mutate_and_test
from cosmic_ray.work_db import WorkDB
from cosmic_ray.work_item import WorkerOutcome, WorkItem, WorkResult

from tests.mutants.modules import equivalent, path_of, tests_of
from tests.mutants.operators import Own, is_chosen, left_alone

CACHE = Path(".cache/mutants").absolute()

plugins.OPERATOR_PROVIDERS["own"] = Own()


class Score(NamedTuple):
    """What came of one module."""

    module: str
    mutants: int
    reasons: list[str]
    """Of those that survive for a reason."""
    survivors: list[str]
    """How the code was changed that survives without one."""

    def line(self) -> str:
        """A row of the table."""
        survived = len(self.reasons) + len(self.survivors)
        return (
            f"| `{self.module}` | {self.mutants} | {self.mutants - survived} "
            f"| {len(self.reasons)} | {len(self.survivors)} |"
        )


def prepared(module: str) -> WorkDB:
    """The results so far; all mutants that there are, without those that are not wanted."""
    source = Path(path_of(module)).read_bytes()
    mark = sha256(source + Path("tests/mutants/operators.py").read_bytes()).hexdigest()[:12]
    path = CACHE / f"{module}-{mark}.sqlite"
    new = not path.exists()
    database = WorkDB(path, WorkDB.Mode.create)
    if new:
        init([Path(path_of(module))], database, {})
        alone = left_alone(source.decode())
        unwanted = [
            item.job_id
            for item in database.work_items
            for mutation in item.mutations
            if not is_chosen(mutation.operator_name)
            or any(begin <= mutation.start_pos < end for begin, end in alone)
        ]
        database.set_multiple_results(unwanted, WorkResult(WorkerOutcome.SKIPPED))
    return database


def change_of(item: WorkItem, result: WorkResult) -> str:
    """The lines that differ, as ``function: old -> new``."""
    lines = (result.diff or "").splitlines()[3:]
    old, new = (
        " ".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+"
    )
    return f"{item.mutations[0].definition_name or 'module'}: {old} -> {new}"


def run_tests(module: str) -> str:
    """The command that tells whether a mutant of the module is noticed."""
    return " ".join(
        (sys.executable, "-m", "twisted.trial", "--reactor=asyncio", "-x", *tests_of(module))
    )


def baseline(command: str) -> float:
    """How long the tests take, in seconds; raises if they fail without any mutant."""
    began = time.monotonic()
    # What it compiles is kept for the mutants' runs, which keep nothing.
    keeping = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    subprocess.run(command.split(), env=keeping, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - began


def copy_tree(where: str) -> None:
    """The project as it is here, for a mutant to be put into."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    for name in filter(os.path.exists, listed.split("\0")):
        target = os.path.join(where, name)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        # With its time: compiled code of the original is not taken for a mutant's.
        shutil.copy2(name, target, follow_symlinks=False)


def score(module: str) -> Score:
    """Try all mutants of a module that were not tried yet, and those that have survived."""
    reasons = equivalent().get(module, {})
    with tempfile.TemporaryDirectory(prefix="mutants-") as tree:
        copy_tree(tree)
        database = prepared(module)
        os.chdir(tree)
        command = run_tests(module)
        limit = 10.0 + 4.0 * baseline(command)
        survived = [
            item
            for item, result in database.completed_work_items
            if result.worker_outcome is WorkerOutcome.NORMAL
            and not result.is_killed
            and change_of(item, result) not in reasons
        ]
        for item in [*database.pending_work_items, *survived]:
            database.set_result(item.job_id, mutate_and_test(item.mutations, command, limit))
        results = [
            (item, result)
            for item, result in database.completed_work_items
            if result.worker_outcome is not WorkerOutcome.SKIPPED
        ]
        database.close()
        os.chdir(CACHE)
    changes = [change_of(item, result) for item, result in results if not result.is_killed]
    return Score(
        module,
        len(results),
        [reasons[change] for change in changes if change in reasons],
        [change for change in changes if change not in reasons],
    )
