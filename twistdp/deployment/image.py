"""What makes a plugin's image: the text of a Dockerfile."""

import json
from collections.abc import Mapping, Sequence

from twistdp.deployment.templates import filled

_LABEL = "org.opencontainers.image."


def dockerfile(
    name: str, *, build: str, install: str, labels: Mapping[str, str], options: Sequence[str] = ()
) -> str:
    """The text of a Dockerfile that installs the directory it is built from into ``/opt/NAME``.

    `build` is the command that it tells people, and `install` what pip is given besides the
    directory, which is ``/src`` then.  `labels` are OCI's, without what all of them begin with.
    `options` are those of ``twistd deviceplugin`` when a container is given none.
    """
    words = {
        "name": name,
        "build": build,
        "install": install,
        "labels": " \\\n      ".join(
            f"{_LABEL}{label}={json.dumps(text)}" for label, text in labels.items()
        ),
        "command": f"CMD {json.dumps(list(options))}\n" if options else "",
    }
    return filled("twistdp.deployment", "Dockerfile", words)
