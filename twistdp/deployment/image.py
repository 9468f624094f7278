"""Writes the Dockerfiles of a plugin's and of the operator's image."""

import json
from collections.abc import Mapping, Sequence
from typing import Final

import attrs

from twistdp.deployment.templates import filled

_LABEL = "org.opencontainers.image."


@attrs.frozen(kw_only=True)
class Service:
    """What an image runs: a command of ``twistd``.

    `subject` names it in the first comment.  `packages` is the file of
    `twistdp.deployment.requirements` with what it needs, and `user` its user, for the reason in the
    comment `why`.
    """

    command: str
    subject: str
    packages: str
    user: str
    why: str


PLUGIN: Final = Service(
    command="deviceplugin",
    subject="plugin",
    packages="run",
    user="0:0",
    why="""\
# Root without any capability, since root owns the kubelet's directory and its socket.  With the
# kubelet's plugin watcher and directories of its own, the plugin can run as another --user.""",
)
OPERATOR: Final = Service(
    command="deviceplugin-operator",
    subject="operator",
    packages="operator",
    user="65532:65532",
    why="""\
# The operator talks to the API server only, so any user will do.  The number lets Kubernetes see
# that it is not root.""",
)


def dockerfile(
    name: str,
    *,
    build: str,
    requirements: str,
    install: str = "",
    labels: Mapping[str, str],
    options: Sequence[str] = (),
    without: Sequence[str] = ("pip",),
    service: Service = PLUGIN,
) -> str:
    """The text of a Dockerfile that installs the directory it is built from into ``/opt/NAME``.

    `build` is the command that builds the image, for the comment.  `requirements` is the directory
    with the files of `twistdp.deployment.requirements`, relative to ``/src``.  `install` are pip's
    options for finding the rest without an index.  `labels` are OCI's, without the prefix that all
    of them have.  `options` are those of `service` for a container that is given none.  The
    packages `without` are uninstalled after they have installed the others.
    """
    words = {
        "name": name,
        "subject": service.subject,
        "build": build,
        "requirements": f"/src/{requirements}",
        "packages": service.packages,
        "install": f"{install} " if install else "",
        "labels": " \\\n      ".join(
            f"{_LABEL}{label}={json.dumps(text)}" for label, text in labels.items()
        ),
        "without": " ".join(without),
        "why": service.why,
        "user": service.user,
        "service": service.command,
        "command": f"CMD {json.dumps(list(options))}\n" if options else "",
    }
    return filled("twistdp.deployment", "Dockerfile", words)
