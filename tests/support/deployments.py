"""Helpers for tests of deployments: printed texts, and Kubernetes' schemas."""

import importlib.util
import os
import shutil
from collections.abc import Iterable
from subprocess import run
from unittest import SkipTest

import yaml

from tests.support.scripts import script

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VERSIONS = ("1.31", "1.34", "1.37")
"""The versions of Kubernetes whose schemas the tests use."""

OLDEST = "1.29"
"""A version for which ``docs/kubernetes.md`` lists fields to leave out."""

OTHERS = {
    *("security.openshift.io", "cert-manager.io", "monitoring.coreos.com", "operators.coreos.com"),
    "twistdp.io",
}
"""Groups of APIs that are not Kubernetes' own."""

MOST_EXPOSED = 1.0
"""The highest exposure that ``systemd-analyze security`` may report for a unit."""

NO_KUBECTL = None if shutil.which("kubectl") else "kubectl is not installed"
NO_SCHEMAS = (
    None
    if importlib.util.find_spec("kubernetes_validate")
    else "kubernetes-validate is not installed: run `make test-manifests`"
)
MISSING = NO_KUBECTL or NO_SCHEMAS
"""Why tests of what kubectl builds are skipped, None if they are not."""

render = script("render")
printed, command_in = render.printed, render.command_in


def content(*names: str) -> str:
    """A file of this project."""
    with open(os.path.join(ROOT, *names), encoding="utf-8") as file:
        return file.read()


def built(directory: str) -> str:
    """The output of ``kubectl kustomize``."""
    done = run(["kubectl", "kustomize", directory], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def validate(text: str, versions: Iterable[str] = VERSIONS) -> None:
    """Raise ValidationError unless all documents are what Kubernetes' schemas describe.

    Kinds of `OTHERS` are not among them.  Skips the test where there are no schemas.
    """
    if NO_SCHEMAS is not None:
        raise SkipTest(NO_SCHEMAS)
    import kubernetes_validate

    for document in yaml.safe_load_all(text):
        if document["apiVersion"].partition("/")[0] in OTHERS:
            continue
        for version in versions:
            kubernetes_validate.validate(document, version, strict=True)
