"""Writes the files that contain the version or are made of twistdp's templates.

    render.py

Run by a Python that has twistdp.  Prints the files that it changed.
"""

import contextlib
import io
import re
import shlex
from datetime import UTC, datetime
from pathlib import Path

from twistdp import __version__, cli
from twistdp.catalog.page import page as catalog_page
from twistdp.config.reference_page import reference
from twistdp.crds.definition import crd_yaml
from twistdp.crds.page import reference as deviceplugin_reference
from twistdp.crds.samples import samples_yaml
from twistdp.deployment.daemonset import DaemonSet
from twistdp.deployment.documents import Document, as_yaml
from twistdp.deployment.image import OPERATOR, PLUGIN, Service, dockerfile
from twistdp.deployment.manifests import WHY_ALLOWED, sample_pod
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
    return re.sub(r"(\btwistdp(?:-operator)?:|\bnewTag: )\d+(?:\.\w+)+", rf"\g<1>{version}", text)


def in_page(text: str, version: str = VERSION) -> str:
    """A page with the version, up to its section about upgrades, which names a later one too."""
    before, heading, after = text.partition("\n## Upgrade\n")
    return with_version(before, version) + heading + after


def image(name: str, file: str, description: str, service: Service) -> str:
    """The Dockerfile of one of twistdp's own images."""
    return dockerfile(
        "twistdp",
        build=f"docker build --file docker/{file} --tag {name}:{VERSION} .",
        requirements="twistdp/deployment/requirements",
        labels={
            "title": name,
            "description": description,
            "licenses": "Apache-2.0",
            "version": VERSION,
        },
        without=["setuptools", "pip"],
        service=service,
    )


def constraints_text() -> str:
    """What OpenShift needs besides the base."""
    plugin = DaemonSet(options=[], image="twistdp", name="twistdp", namespace="twistdp")
    allowed, *granted = constraints(plugin)
    return as_yaml([Document(allowed, WHY_ALLOWED), *map(Document, granted)])


def service_version(text: str, version: str = VERSION) -> str:
    """The base of the ClusterServiceVersion; another version's image is created now."""
    changed = with_version(text, version)
    if changed == text:
        return text
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return re.sub(r'(createdAt: )"[^"]*"', rf'\g<1>"{now}"', changed)


def operator_constraints() -> str:
    """What OpenShift allows the plugins that the operator runs."""
    name = "twistdp-deviceplugin"
    allowed, *_ = constraints(
        DaemonSet(options=[], image="twistdp", name=name, namespace="twistdp-system")
    )
    return as_yaml([Document(allowed, WHY_ALLOWED)])


def operator_files() -> dict[Path, str]:
    """The custom resource's definition and its samples."""
    place = ROOT / "deploy" / "operator"
    samples = samples_yaml()
    listing = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [f"{name}.yaml" for name in samples],
    }
    comment = (
        "`make generate` writes this file.\nOne file is a start; all of them serve each device."
    )
    return {
        place / "crd" / "twistdp.io_deviceplugins.yaml": crd_yaml(),
        **{place / "samples" / f"{name}.yaml": text for name, text in samples.items()},
        place / "samples" / "kustomization.yaml": as_yaml([Document(listing, comment)]),
        ROOT / "docs" / "deviceplugin-reference.md": deviceplugin_reference(),
    }


def files() -> dict[Path, str]:
    """The text of each file."""
    docker = ROOT / "docker"
    kustomize = ROOT / "deploy" / "kustomize"
    operator = ROOT / "deploy" / "operator"
    base_version = operator / "manifests" / "bases" / "twistdp-operator.clusterserviceversion.yaml"
    manager = operator / "manager" / "deployment.yaml"
    base = kustomize / "base"
    pages = [ROOT / "docs" / name for name in ("kubernetes.md", "operator-operations.md")]
    return {
        docker / "Dockerfile": image(
            "twistdp",
            "Dockerfile",
            "A Twisted server and framework for Kubernetes device plugins",
            PLUGIN,
        ),
        docker / "operator.Dockerfile": image(
            "twistdp-operator",
            "operator.Dockerfile",
            "Runs the device plugins that DevicePlugin resources describe",
            OPERATOR,
        ),
        base / "twistdp.yaml": printed(*command_in((base / "kustomization.yaml").read_text())),
        kustomize / "overlays" / "openshift" / "constraints.yaml": constraints_text(),
        kustomize / "sample-pod.yaml": sample_pod(
            "serial", "busybox", "lab.example.com/serial", "/dev/tty[UA]*"
        ),
        manager: with_version(manager.read_text("utf-8")),
        base_version: service_version(base_version.read_text("utf-8")),
        operator / "openshift" / "constraints.yaml": operator_constraints(),
        ROOT / "docs" / "catalog.md": catalog_page(),
        ROOT / "docs" / "config-reference.md": reference(),
        **{page: in_page(page.read_text("utf-8")) for page in pages},
        **operator_files(),
    }


def main() -> None:
    """Write them."""
    for path, text in files().items():
        if not path.exists() or path.read_text("utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
            print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
