"""Files of exact versions with hashes, for ``pip install --require-hashes``.

``build.txt`` builds twistdp and what has no wheel, ``run.txt`` is all that twistdp needs, and
``dev.txt`` what a project's tests and linters need too.  twistdp itself is in none of them: it
comes from a checkout or a wheel, and its name is not looked up on an index.
"""

import os

DIRECTORY = os.path.dirname(__file__)
"""Where the files are."""

NAMES = ("build", "run", "dev")
"""What they are called, without ``.txt``."""


def text(name: str) -> str:
    """One of them."""
    with open(os.path.join(DIRECTORY, f"{name}.txt"), encoding="utf-8") as file:
        return file.read()
