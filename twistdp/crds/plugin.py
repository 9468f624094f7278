"""The custom resource as a value."""

import re
from collections.abc import Mapping
from typing import Any, Final

import attrs

from twistdp.catalog import chosen
from twistdp.config import Config
from twistdp.crds.rule import CelRule
from twistdp.crds.source import WITH_SCANNER
from twistdp.crds.spec import DevicePluginSpec

GROUP: Final = "twistdp.io"
VERSION: Final = "v1alpha1"
KIND: Final = "DevicePlugin"
PLURAL: Final = "deviceplugins"

PAUSED: Final = f"{GROUP}/paused"
"""The annotation that stops changes, with the value ``true``."""

_NAME: Final = "[a-z]([-a-z0-9]{0,38}[a-z0-9])?"
NAME: Final = CelRule(
    f"self.metadata.name.matches(r'^{_NAME}$')",
    "the name is that of other objects too: it has at most 40 lower-case letters, digits and '-', "
    "begins with a letter and ends with a letter or digit; choose such a name",
    lambda name: re.fullmatch(_NAME, name) is not None,
    "metadata",
)


@attrs.frozen(kw_only=True)
class DevicePlugin:
    """A device plugin that somebody wants on nodes.

    `raw_config` is ``spec.config`` as it is in the object, None without one.
    """

    name: str
    uid: str
    generation: int
    annotations: Mapping[str, str]
    spec: DevicePluginSpec
    raw_config: Mapping[str, Any] | None
    deleting: bool
    finalizers: tuple[str, ...]

    @property
    def paused(self) -> bool:
        """Whether its objects are left as they are."""
        return self.annotations.get(PAUSED) == "true"

    def entries(self) -> tuple[str, ...]:
        """The entries of the catalogue that no scanner of their own serves."""
        return tuple(each.name for each in self.spec.catalog if each.name not in WITH_SCANNER)

    def configs(self) -> tuple[Config, ...]:
        """The configurations that it serves: its own, or those of the catalogue's entries."""
        if self.spec.config is not None:
            return (self.spec.config,)
        return tuple(chosen(self.entries(), self.spec.domain).values())
