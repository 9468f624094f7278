"""Writes the Dockerfile of a plugin's image."""

import json
from collections.abc import Mapping, Sequence

from twistdp.deployment.templates import filled

_LABEL = "org.opencontainers.image."


def dockerfile(
    name: str,
    *,
    build: str,
    requirements: str,
    install: str = "",
    labels: Mapping[str, str],
    options: Sequence[str] = (),
    without: Sequence[str] = ("pip",),
) -> str:
    """The text of a Dockerfile that installs the directory it is built from into ``/opt/NAME``.

    `build` is the command that builds the image, for the comment.  `requirements` is the directory
    with the files of `twistdp.deployment.requirements`, relative to ``/src``.  `install` are pip's
    options for finding the rest without an index.  `labels` are OCI's, without the prefix that all
    of them have.  `options` are those of ``twistd deviceplugin`` for a container that is given
    none.  The packages `without` are uninstalled after they have installed the others.
    """
    words = {
        "name": name,
        "build": build,
        "requirements": f"/src/{requirements}",
        "install": f"{install} " if install else "",
        "labels": " \\\n      ".join(
            f"{_LABEL}{label}={json.dumps(text)}" for label, text in labels.items()
        ),
        "without": " ".join(without),
        "command": f"CMD {json.dumps(list(options))}\n" if options else "",
    }
    return filled("twistdp.deployment", "Dockerfile", words)
