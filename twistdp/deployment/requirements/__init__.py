"""Files of exact versions with hashes, for ``pip install --require-hashes``.

``build.txt`` builds twistdp and dependencies without a wheel, ``run.txt`` has all that twistdp
needs, and ``dev.txt`` adds the needs of a project's tests and linters.  None contains twistdp
itself: it comes from a checkout or a wheel, and its name is not looked up on an index.
"""

import os

DIRECTORY = os.path.dirname(__file__)
"""The directory of the files."""

NAMES = ("build", "run", "dev")
"""Their names without ``.txt``."""


def text(name: str) -> str:
    """The text of one of them."""
    with open(os.path.join(DIRECTORY, f"{name}.txt"), encoding="utf-8") as file:
        return file.read()
