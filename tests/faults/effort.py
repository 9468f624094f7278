"""How much is tried, and where a trial begins."""

import os
import sys


def effort(name: str, usual: int) -> range:
    """The seeds to try: ``TWISTDP_FAULT_<NAME>`` of them, from ``TWISTDP_FAULT_SEED`` on."""
    count = int(os.environ.get(f"TWISTDP_FAULT_{name}", usual))
    first = int(os.environ.get("TWISTDP_FAULT_SEED", 0))
    return range(first, first + count)


def replay(name: str, seed: int) -> str:
    """The command that plays just one seed again, of ``SCHEDULES`` or of ``ROUNDS``."""
    counts = " ".join(f"{kind}={int(kind == name)}" for kind in ("SCHEDULES", "ROUNDS"))
    return f"make faults {counts} SEED={seed}"


def tell(line: str) -> None:
    """Print what was tried, if the environment asks for many trials."""
    if "TWISTDP_FAULT_SEED" in os.environ:
        sys.stdout.write(f"\n{line}\n")
