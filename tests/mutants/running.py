"""One module after the other: all its mutants, and whether the tests notice."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from difflib import unified_diff
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from cosmic_ray import plugins
from cosmic_ray.commands import init
from cosmic_ray.mutating import use_mutation
from cosmic_ray.work_db import WorkDB
from cosmic_ray.work_item import TestOutcome, WorkerOutcome, WorkItem, WorkResult

from tests.mutants.forking import passes, preload
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
    lines = [line for line in (result.diff or "").splitlines() if line[:3] not in {"---", "+++"}]
    old, new = (
        " ".join(" ".join(line[1:] for line in lines if line.startswith(sign)).split())
        for sign in "-+"
    )
    return f"{item.mutations[0].definition_name or 'module'}: {old} -> {new}"


def baseline(tests: Sequence[str]) -> float:
    """How long the tests take, in seconds; raises RuntimeError if they fail without any mutant."""
    began = time.monotonic()
    sys.dont_write_bytecode = False
    passed = passes(tests, 600.0)
    # What was compiled is kept for the mutants' runs, which keep nothing.
    sys.dont_write_bytecode = True
    if not passed:
        raise RuntimeError(f"{' '.join(tests)} fail without any mutant")
    return time.monotonic() - began


def tried(item: WorkItem, tests: Sequence[str], limit: float) -> WorkResult:
    """Whether the tests notice a mutant."""
    (mutation,) = item.mutations
    operator = plugins.get_operator(mutation.operator_name)()
    with use_mutation(mutation.module_path, operator, mutation.occurrence) as (old, new):
        outcome = TestOutcome.SURVIVED if passes(tests, limit) else TestOutcome.KILLED
    diff = unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=0)
    return WorkResult(WorkerOutcome.NORMAL, test_outcome=outcome, diff="\n".join(diff))


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
        preload()
        database = prepared(module)
        os.chdir(tree)
        tests = tests_of(module)
        limit = 10.0 + 4.0 * baseline(tests)
        survived = [
            item
            for item, result in database.completed_work_items
            if result.worker_outcome is WorkerOutcome.NORMAL
            and not result.is_killed
            and change_of(item, result) not in reasons
        ]
        for item in [*database.pending_work_items, *survived]:
            database.set_result(item.job_id, tried(item, tests, limit))
        baseline(tests)  # or else it is not for the mutants that they fail
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
