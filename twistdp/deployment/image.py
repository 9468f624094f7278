"""What makes a plugin's image: the text of a Dockerfile."""

import json
from collections.abc import Mapping, Sequence

from twistdp.deployment.templates import filled

_LABEL = "org.opencontainers.image."

_SLIM = """\
# The service is all that this twistd runs: at each start it would load what its other commands are
# made of, of which the larger ones are not used for anything else.
RUN cd /opt/{name}/lib/python3*/site-packages/twisted && \\
    rm -r conch mail names words && \\
    find plugins \\( -name 'cred_*' -o -name 'twisted_*' \\) \\
        ! -name 'twisted_core.*' ! -name 'twisted_reactors.*' -delete
"""

_WITHOUT = """\
    bin/python -m pip uninstall --quiet --yes setuptools pip && \\
    find lib -type d \\( -name test -o -name tests \\) -prune -exec rm -r {{}} + && \\
"""
"""What twistdp's own image does without: it is known that nothing in it needs these.

A project's scanner may, or what that depends on; there only the environment's own pip goes.
"""

_WITHOUT_PIP = "    bin/python -m pip uninstall --quiet --yes pip && \\\n"


def dockerfile(
    name: str,
    *,
    build: str,
    requirements: str,
    install: str = "",
    labels: Mapping[str, str],
    options: Sequence[str] = (),
    slim: bool = False,
) -> str:
    """The text of a Dockerfile that installs the directory it is built from into ``/opt/NAME``.

    `build` is the command that it tells people, `requirements` where in it, as ``/src``, the files
    of `twistdp.deployment.requirements` are, and `install` what pip is given to find the rest,
    without an index.  `labels` are OCI's, without what all of them begin with.
    `options` are those of ``twistd deviceplugin`` when a container is given none.  A `slim` image
    lacks parts of installed packages.
    """
    words = {
        "name": name,
        "build": build,
        "requirements": f"/src/{requirements}",
        "install": f"{install} " if install else "",
        "labels": " \\\n      ".join(
            f"{_LABEL}{label}={json.dumps(text)}" for label, text in labels.items()
        ),
        "slim": _SLIM.format(name=name) if slim else "",
        "without": _WITHOUT.format() if slim else _WITHOUT_PIP,
        "command": f"CMD {json.dumps(list(options))}\n" if options else "",
    }
    return filled("twistdp.deployment", "Dockerfile", words)
