"""``python -m tests.fuzz [seconds] [target ...]``: every target, guided by coverage (atheris).

Prints a line a target; a finding ends with status 1, and its input is kept in ``fuzz-findings``.
"""

import os
import re
import sys
import tempfile
from collections.abc import Iterable
from subprocess import PIPE, STDOUT, run

MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
FINDINGS = "fuzz-findings"
LONGEST_INPUT = 4096
SLOWEST_INPUT = 10
"""Seconds after which an input counts as one that hangs."""

_DONE = re.compile(r"Done (\d+) runs in (\d+) second")


def fuzz_one(name: str, options: list[str]) -> None:
    """Feed one target in its own process, for ever or as libFuzzer's `options` say."""
    import atheris

    assert "twistdp" not in sys.modules
    with atheris.instrument_imports(include=["twistdp", "json"]):
        from tests.fuzz.targets import TARGETS
    atheris.Setup([name, *options], TARGETS[name])
    atheris.Fuzz()


def fuzz(name: str, seeds: Iterable[bytes], seconds: int) -> bool:
    """Feed one target for a time; whether nothing was found."""
    os.makedirs(FINDINGS, exist_ok=True)
    # The process ends without cleaning up: what it makes is made, and removed, in here.
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=MEMORY) as directory:
        corpus = os.path.join(directory, "corpus")
        os.mkdir(corpus)
        for number, seed in enumerate(seeds):
            with open(os.path.join(corpus, f"seed{number}"), "wb") as file:
                file.write(seed)
        ended = run(
            [
                # By its file: importing the package imports twistdp, before it is instrumented.
                *(sys.executable, __file__, "--one", name, corpus),
                f"-max_total_time={seconds}",
                f"-max_len={LONGEST_INPUT}",
                f"-timeout={SLOWEST_INPUT}",
                f"-artifact_prefix={FINDINGS}/{name}-",
            ],
            env={**os.environ, "TMPDIR": directory},
            stdout=PIPE,
            stderr=STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
    done = _DONE.search(ended.stdout)
    if ended.returncode == 0 and done:
        print(f"{name:16} {int(done[1]):12,} executions in {done[2]} s, no crash", flush=True)
        return True
    print(f"{name:16} FOUND something, or could not run (status {ended.returncode}):")
    print(ended.stdout[-4000:], flush=True)
    return False


def main(arguments: list[str]) -> int:
    """All targets, or those named; returns the exit status."""
    if arguments[:1] == ["--one"]:
        fuzz_one(arguments[1], arguments[2:])
        return 0
    from tests.fuzz.targets import SEEDS

    seconds = int(arguments[0]) if arguments else 60
    chosen = arguments[1:] or list(SEEDS)
    good = [fuzz(name, SEEDS[name], seconds) for name in chosen]
    if all(good):
        return 0
    print(f"see {FINDINGS}; try one again: python tests/fuzz/__main__.py --one TARGET FILE")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
