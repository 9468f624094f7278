"""``python -m tests.mutants [module ...]``: faults in the code, and whether its tests notice.

Results are kept in ``.cache/mutants``, so that a run that was broken off goes on where it was.
What has survived is tried again each time, since a test may have been added; a module that has
changed begins again.  Status 1 if something survives without a reason in ``equivalent.toml``.
"""

import os
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed

from tests.mutants.modules import MODULES
from tests.mutants.running import CACHE, score


def main(chosen: list[str]) -> int:
    """All modules, or those named; returns the exit status."""
    CACHE.mkdir(parents=True, exist_ok=True)
    # Has hypothesis make the same inputs each time.
    os.environ["CI"] = "1"
    jobs = int(os.environ.get("JOBS") or 1)
    print("| module | mutants | found | no difference | survived |\n|---|---|---|---|---|")
    good = True
    # A process a module, since each has a working directory of its own.
    with ProcessPoolExecutor(jobs, max_tasks_per_child=1) as pool:
        running = {pool.submit(score, module): module for module in chosen or MODULES}
        for done in as_completed(running):
            if (error := done.exception()) is not None:
                good = False
                print(f"  {running[done]} could not be tried: {error}", flush=True)
                continue
            print(done.result().line(), flush=True)
            for change in done.result().survivors:
                good = False
                print(f"  survived: {change}", flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
