"""Writes the files that contain the version or are made of twistdp's templates.

    render.py

Run by a Python that has twistdp.  Prints the files that it changed.
"""

import contextlib
import io
import re
import shlex
from pathlib import Path

from twistdp import __version__, cli
from twistdp.catalog.page import page as catalog_page
from twistdp.config.reference_page import reference
from twistdp.deployment.documents import as_yaml
from twistdp.deployment.image import dockerfile
from twistdp.deployment.manifests import sample_pod
from twistdp.deployment.openshift import constraints

ROOT = Path(__file__).resolve().parent.parent
VERSION = __version__.public()


def printed(*words: str) -> str:
    """The output of ``twistdp`` with these arguments."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        assert cli.main(words) == 0
    return output.getvalue()


def command_in(comment: str) -> list[str]:
    """The command, without ``twistdp``, in the comment of a kustomization."""
    command = "".join(re.findall(r"(?m)^#   +(.*\n)", comment.split("apiVersion")[0]))
    program, *words = shlex.split(command.replace("\\\n", " "))
    assert program == "twistdp", command
    return words


def with_version(text: str, version: str = VERSION) -> str:
    """A page, with `version` wherever it names a release of the image."""
    return re.sub(r"(\btwistdp:|\bnewTag: )\d+(?:\.\w+)+", rf"\g<1>{version}", text)


def files() -> dict[Path, str]:
    """The text of each file."""
    image = ROOT / "docker" / "Dockerfile"
    kustomize = ROOT / "deploy" / "kustomize"
    base = kustomize / "base"
    page = ROOT / "docs" / "kubernetes.md"
    return {
        image: dockerfile(
            "twistdp",
            build=f"docker build --file docker/Dockerfile --tag twistdp:{VERSION} .",
            requirements="twistdp/deployment/requirements",
            labels={
                "title": "twistdp",
                "description": "A Twisted server and framework for Kubernetes device plugins",
                "licenses": "Apache-2.0",
                "version": VERSION,
            },
            without=["setuptools", "pip"],
        ),
        base / "twistdp.yaml": printed(*command_in((base / "kustomization.yaml").read_text())),
        kustomize / "overlays" / "openshift" / "constraints.yaml": as_yaml(
            constraints("twistdp", "twistdp")
        ),
        kustomize / "sample-pod.yaml": sample_pod(
            "serial", "busybox", "lab.example.com/serial", "/dev/tty[UA]*"
        ),
        ROOT / "docs" / "catalog.md": catalog_page(),
        ROOT / "docs" / "config-reference.md": reference(),
        page: with_version(page.read_text("utf-8")),
    }


def main() -> None:
    """Write them."""
    for path, text in files().items():
        if path.read_text("utf-8") != text:
            path.write_text(text, "utf-8")
            print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
