"""Tests for `twistdp.operator.settings`."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from twistdp.errors import BadSetting
from twistdp.operator.settings import OperatorSettings


class OperatorSettingsTests(SynchronousTestCase):
    """The values."""

    def test_refused(self) -> None:
        """A value that cannot work is named by its option."""
        for more, option in (
            ({"namespace": ""}, "--namespace"),
            ({"plugin_image": ""}, "--plugin-image"),
            ({"status_interval": 0}, "--status-interval"),
            ({"status_interval": float("nan")}, "--status-interval"),
        ):
            values: dict[str, Any] = {"namespace": "n", "plugin_image": "i", **more}
            error = self.assertRaises(BadSetting, OperatorSettings, **values)
            self.assertIn(option, str(error))
