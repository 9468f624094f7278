"""The settings of the operator: frozen and validated values."""

import attrs

from twistdp.errors import BadSetting


def _positive(_: object, __: object, value: float) -> None:
    if not 0 < value < float("inf"):
        raise BadSetting(f"--status-interval {value:g}: it must be a positive number of seconds")


def _given(_: object, attribute: "attrs.Attribute[str]", value: str) -> None:
    if not value:
        option = attribute.name.replace("_", "-")
        raise BadSetting(f"--{option} is empty; give its value")


@attrs.frozen(kw_only=True)
class OperatorSettings:
    """How the operator works.  Raises `BadSetting`.

    Everything that it makes is in `namespace`.  `plugin_image` is for plugins that name no image.
    A DevicePlugin's status is written at most once in `status_interval` seconds.  `name` is the
    operator's own, which names what it has in the namespace for itself.
    """

    namespace: str = attrs.field(validator=_given)
    plugin_image: str = attrs.field(validator=_given)
    status_interval: float = attrs.field(default=5.0, validator=_positive)
    name: str = "twistdp-operator"
