"""An entry of the catalogue: resources that are described already."""

from collections.abc import Mapping, Sequence

import attrs

from twistdp.config import Domain, Resource, ResourceType, Word, fields_of, key
from twistdp.errors import BadSetting


@attrs.frozen(kw_only=True)
class Entry:
    """The content of one file of the catalogue."""

    title: Word = key("title", "What the devices are, in a few words.", example="KVM")
    description: Word = key(
        "description", "What a container gets, and what to know.", example="One node."
    )
    options: Mapping[Word, Word] = key(
        "options", "Keys that users change, and why.", {}, "{replicas: How many containers.}"
    )
    needs: Sequence[Word] = key(
        "needs", "Keys of which a user must give one.", (), "[modelName, serial]"
    )
    domain: Domain | None = key(
        "domain", "The domain that pods know the resources by.", None, "gpu.intel.com"
    )
    resource: Resource | None = key(
        "resource", "The resource that `use` builds on.", None, "/dev/kvm"
    )
    resources: Mapping[ResourceType, Resource] = key(
        "resources",
        "The resources that `--catalog` serves; by default the one resource, by the entry's name.",
        {},
        "{i915: {use: intel-gpu, driver: i915}}",
    )

    scanner: Word | None = key(
        "scanner",
        "The scanner, as module:Class, that `--catalog` serves instead of `resources`.",
        None,
        "twistdp.scanners.fpga:FpgaScanner",
    )
    arguments: Mapping[Word, Word] = key(
        "arguments",
        "Arguments of the scanner that users give with `--set`, and why.",
        {},
        "{mode: af or region.}",
    )

    def __attrs_post_init__(self) -> None:
        if self.scanner is None and self.resource is None:
            raise BadSetting("an entry has a resource, a scanner, or both")
        if self.arguments and self.scanner is None:
            raise BadSetting("arguments are for a scanner, and the entry has none")
        for name in (*self.options, *self.needs):
            if name not in fields_of(Resource):
                raise BadSetting(f"{name!r} is no key of a resource")
