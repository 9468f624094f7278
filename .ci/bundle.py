"""Writes the bundle of the operator for the Operator Lifecycle Manager, in the format registry+v1.

    bundle.py DIRECTORY [--version=V] [--channels=A,B] [--default-channel=A] [--image=I]
        [--plugin-image=I]

It is made of deploy/operator/manifests, which kubectl builds, and of the samples.  The same
arguments and files give the same bundle.
"""

import argparse
import base64
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from twistdp import __version__
from twistdp.deployment.documents import Document, as_yaml

ROOT = Path(__file__).resolve().parent.parent
OPERATOR = ROOT / "deploy" / "operator"
PACKAGE = "twistdp-operator"
CERTIFICATES = "webhook-cert"
"""The volume that the webhook's component has, and OLM makes itself."""

_PREFIX = "operators.operatorframework.io."
_UI = "urn:alm:descriptor:com.tectonic.ui:"
_KNOWN = {
    "conditions": "urn:alm:descriptor:io.kubernetes.conditions",
    "resources": f"{_UI}resourceRequirements",
    "imagePullPolicy": f"{_UI}imagePullPolicy",
    "nodeAffinity": f"{_UI}nodeAffinity",
}
"""What forms have a control for, by the name of the field."""

Object = dict[str, Any]


def semantic(version: str) -> str:
    """A version of Python as a semantic one: ``0.2.0rc1`` is ``0.2.0-rc.1``."""
    return re.sub(r"\.?(a|b|rc|dev)(\d+)$", r"-\1.\2", version)


def descriptors(schema: Object, path: str = "") -> Iterator[Object]:
    """A descriptor for each field that a schema of an object has, and those of objects in it."""
    for name, field in schema.get("properties", {}).items():
        found: Object = {"path": path + name, "displayName": title(name)}
        if text := field.get("description", ""):
            found["description"] = text
        if control := controls(name, field):
            found["x-descriptors"] = control
        yield found
        if name not in _KNOWN:
            yield from descriptors(field, f"{path}{name}.")


def title(name: str) -> str:
    """A field's name as words: ``imagePullPolicy`` is ``Image Pull Policy``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name[:1].upper() + name[1:])


def controls(name: str, field: Object) -> list[str]:
    """How a form shows a field."""
    if name in _KNOWN:
        return [_KNOWN[name]]
    if values := field.get("enum"):
        return [f"{_UI}select:{value}" for value in values]
    plain = {"boolean": "booleanSwitch", "integer": "number", "string": "text"}
    return [_UI + plain[field["type"]]] if field.get("type") in plain else []


def webhooks(objects: list[Object], deployment: Object) -> Iterator[Object]:
    """The webhooks of the configurations among `objects`, which the deployment serves."""
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    (port,) = [one["containerPort"] for one in container["ports"] if one["name"] == "webhook"]
    for configuration in of_kind(objects, "ValidatingWebhookConfiguration"):
        for one in configuration["webhooks"]:
            taken = (
                *("admissionReviewVersions", "failurePolicy", "matchPolicy", "rules"),
                *("sideEffects", "timeoutSeconds"),
            )
            yield {
                "type": "ValidatingAdmissionWebhook",
                "generateName": one["name"],
                "deploymentName": deployment["metadata"]["name"],
                "containerPort": 443,
                "targetPort": port,
                "webhookPath": one["clientConfig"]["service"]["path"],
                **{key: one[key] for key in taken},
            }


def permissions(objects: list[Object], kind: str, account: Object) -> list[Object]:
    """What the account's bindings to roles of a kind grant, by the account's name."""
    roles = {
        (role["kind"], role["metadata"].get("namespace"), role["metadata"]["name"]): role["rules"]
        for role in objects
        if role["kind"] in ("Role", "ClusterRole")
    }
    rules: list[Object] = []
    for binding in objects:
        if binding["kind"] not in ("RoleBinding", "ClusterRoleBinding"):
            continue
        namespace = binding["metadata"].get("namespace")
        # A right in another namespace than the operator's is one of the cluster, for OLM.
        own = namespace == account["metadata"]["namespace"]
        if own == (kind == "Role") and named(account) in map(subject, binding["subjects"]):
            rules += roles[binding["roleRef"]["kind"], namespace, binding["roleRef"]["name"]]
    return [{"serviceAccountName": account["metadata"]["name"], "rules": rules}]


def named(account: Object) -> tuple[str, str]:
    """The name and the namespace of a ServiceAccount."""
    return account["metadata"]["name"], account["metadata"]["namespace"]


def subject(one: Object) -> tuple[str, str]:
    """The same of a binding's subject."""
    return one["name"], one.get("namespace", "")


def of_kind(objects: list[Object], kind: str) -> list[Object]:
    """The objects of a kind."""
    return [one for one in objects if one["kind"] == kind]


def service_version(
    objects: list[Object], samples: list[Object], given: argparse.Namespace
) -> Object:
    """The ClusterServiceVersion, made of its base among `objects` and of all others."""
    (made,) = of_kind(objects, "ClusterServiceVersion")
    (deployment,) = of_kind(objects, "Deployment")
    (account,) = of_kind(objects, "ServiceAccount")
    (definition,) = of_kind(objects, "CustomResourceDefinition")
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    version, spec = semantic(given.version), made["spec"]
    definitions = list(webhooks(objects, deployment))
    container["image"] = given.image
    for variable in container["env"]:
        if variable["name"] == "RELATED_IMAGE_DEVICEPLUGIN":
            variable["value"] = given.plugin_image
    for holder, key in ((pod, "volumes"), (container, "volumeMounts")):
        holder[key] = [one for one in holder[key] if one["name"] != CERTIFICATES]
    made["metadata"]["name"] = f"{PACKAGE}.v{version}"
    made["metadata"]["annotations"] |= {
        "alm-examples": json.dumps(samples, indent=2, sort_keys=True),
        "containerImage": given.image,
    }
    (owned,) = spec["customresourcedefinitions"]["owned"]
    (served,) = [one for one in definition["spec"]["versions"] if one["name"] == owned["version"]]
    for part in ("spec", "status"):
        schema = served["schema"]["openAPIV3Schema"]["properties"][part]
        owned[f"{part}Descriptors"] = list(descriptors(schema))
    spec["install"]["spec"] = {
        "clusterPermissions": permissions(objects, "ClusterRole", account),
        "permissions": permissions(objects, "Role", account),
        "deployments": [
            {
                "name": deployment["metadata"]["name"],
                "label": deployment["metadata"]["labels"],
                "spec": deployment["spec"],
            }
        ],
    }
    picture = base64.b64encode((OPERATOR / "manifests" / "icon.svg").read_bytes()).decode()
    spec |= {
        "version": version,
        "icon": [{"base64data": picture, "mediatype": "image/svg+xml"}],
        "webhookdefinitions": definitions,
        "relatedImages": [
            {"name": "operator", "image": given.image},
            {"name": "deviceplugin", "image": given.plugin_image},
        ],
    }
    return made


def annotations(given: argparse.Namespace) -> dict[str, str]:
    """What describes the bundle, in its metadata and as labels of its image."""
    first = given.channels.split(",")[0]
    return {
        f"{_PREFIX}bundle.mediatype.v1": "registry+v1",
        f"{_PREFIX}bundle.manifests.v1": "manifests/",
        f"{_PREFIX}bundle.metadata.v1": "metadata/",
        f"{_PREFIX}bundle.package.v1": PACKAGE,
        f"{_PREFIX}bundle.channels.v1": given.channels,
        f"{_PREFIX}bundle.channel.default.v1": given.default_channel or first,
        f"{_PREFIX}test.mediatype.v1": "scorecard+v1",
        f"{_PREFIX}test.config.v1": "tests/scorecard/",
    }


def dockerfile(labels: dict[str, str]) -> str:
    """The Dockerfile of the bundle's image, which has files only."""
    return (
        "FROM scratch\n"
        + "".join(f"LABEL {key}={value}\n" for key, value in labels.items())
        + "COPY manifests /manifests/\nCOPY metadata /metadata/\n"
        "COPY tests/scorecard /tests/scorecard/\n"
    )


def files(
    objects: list[Object], samples: list[Object], given: argparse.Namespace
) -> dict[str, str]:
    """The text of each file of the bundle, by its path."""
    labels = annotations(given)
    texts = {
        "bundle.Dockerfile": dockerfile(labels),
        "metadata/annotations.yaml": as_yaml([Document({"annotations": labels})]),
        "tests/scorecard/config.yaml": (OPERATOR / "scorecard" / "config.yaml").read_text("utf-8"),
    }
    (definition,) = of_kind(objects, "CustomResourceDefinition")
    # Roles for users; the operator's own are in the ClusterServiceVersion.
    bound = {one["roleRef"]["name"] for one in objects if "roleRef" in one}
    roles = [one for one in of_kind(objects, "ClusterRole") if one["metadata"]["name"] not in bound]
    manifests = {
        f"{PACKAGE}.clusterserviceversion": service_version(objects, samples, given),
        "twistdp.io_deviceplugins": definition,
        **{f"{role['metadata']['name']}.clusterrole": role for role in roles},
    }
    for name, content in manifests.items():
        texts[f"manifests/{name}.yaml"] = as_yaml([Document(content)])
    return texts


def built() -> list[Object]:
    """What the bundle is made of."""
    command = ["kubectl", "kustomize", OPERATOR / "manifests"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return list(yaml.safe_load_all(done.stdout))


def samples() -> list[Object]:
    """The samples of the operator's own kind."""
    return [
        one
        for path in sorted((OPERATOR / "samples").glob("*.yaml"))
        for one in yaml.safe_load_all(path.read_text("utf-8"))
        if one["kind"] == "DevicePlugin"
    ]


def arguments(words: list[str]) -> argparse.Namespace:
    """The arguments, with what they are by default."""
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=Path)
    parser.add_argument("--version", default=__version__.public())
    parser.add_argument("--channels", default="alpha")
    parser.add_argument("--default-channel", default="")
    parser.add_argument("--image", default="")
    parser.add_argument("--plugin-image", default="")
    given = parser.parse_args(words)
    given.image = given.image or f"twistdp-operator:{given.version}"
    given.plugin_image = given.plugin_image or f"twistdp:{given.version}"
    return given


def main() -> None:
    """Write the files, and remove manifests of an earlier bundle."""
    given = arguments(sys.argv[1:])
    texts = files(built(), samples(), given)
    for old in (given.directory / "manifests").glob("*.yaml"):
        old.unlink()
    for path, text in texts.items():
        (given.directory / path).parent.mkdir(parents=True, exist_ok=True)
        (given.directory / path).write_text(text, "utf-8")
    print(f"{given.directory}: {len(texts)} files")


if __name__ == "__main__":
    main()
