"""Objects of the kind DevicePlugin for tests."""

from typing import Any


def an_object(name: str = "gpus", **spec: Any) -> dict[str, Any]:
    """An object with this spec, or one that serves /dev/kvm."""
    return {
        "apiVersion": "twistdp.io/v1alpha1",
        "kind": "DevicePlugin",
        "metadata": {"name": name},
        "spec": spec or {"catalog": [{"name": "kvm"}], "domain": "lab.example.com"},
    }
