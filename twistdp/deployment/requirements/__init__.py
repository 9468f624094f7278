"""Files of exact versions with hashes, for ``pip install --require-hashes``.

``build.txt`` builds twistdp and dependencies without a wheel, ``run.txt`` has all that twistdp
needs, ``operator.txt`` adds the needs of the operator, and ``dev.txt`` those of a project's tests
and linters.  None contains twistdp itself: it comes from a checkout or a wheel, and its name is not
looked up on an index.
"""

import os

DIRECTORY = os.path.dirname(__file__)
"""The directory of the files."""

OF_A_PROJECT = ("build", "run", "dev")
"""The names, without ``.txt``, of those that a project needs."""

NAMES = (*OF_A_PROJECT, "operator")
"""The names of all."""


def text(name: str) -> str:
    """The text of one of them."""
    with open(os.path.join(DIRECTORY, f"{name}.txt"), encoding="utf-8") as file:
        return file.read()
