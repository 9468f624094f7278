"""Tests for `twistdp.config.cdi`."""

from twisted.trial.unittest import SynchronousTestCase

from twistdp.config.cdi import CDI
from twistdp.config.loading import load_as
from twistdp.errors import BadDevice
from twistdp.model.cdi import CDIDevice, CDIHook, CDIIntelRdt, CDIMount, CDINetDevice, CDINode


def filled(text: str) -> CDIDevice:
    """What a text gives for a device."""
    values = {"node": "/dev/card0", "pciBusID": "0000:03:00.0", "kernelName": "eth7"}
    return load_as(CDI, text).filled(values)


class FilledTests(SynchronousTestCase):
    """The changes for one device."""

    def test_all(self) -> None:
        """Each key becomes a field of the device's part, with its templates filled in."""
        found = filled(
            """
            deviceNodes:
            - {path: /dev/a, hostPath: "{node}", permissions: rwm, fileMode: 0660, uid: 1, gid: 2}
            mounts: [{hostPath: "/opt/{pciBusID}", containerPath: /fw}, {hostPath: /opt/b}]
            env: {CARD: "{pciBusID}"}
            hooks:
            - {hookName: poststop, path: /bin/a, args: [a, "{node}"], env: {B: c}, timeout: 3}
            additionalGIDs: 44
            netDevices: ["{kernelName}", {hostInterfaceName: eth8, name: eth1}]
            intelRdt: {closID: best, schemata: ["L3:0=f"], enableMonitoring: true}
            """
        )
        options = ("ro", "bind")
        self.assertEqual(
            found,
            CDIDevice(
                nodes=[CDINode("/dev/a", "/dev/card0", None, None, None, "rwm", 0o660, 1, 2)],
                mounts=[
                    CDIMount("/opt/0000:03:00.0", "/fw", options),
                    CDIMount("/opt/b", "/opt/b", options),
                ],
                env={"CARD": "0000:03:00.0"},
                hooks=[CDIHook("poststop", "/bin/a", ["a", "/dev/card0"], {"B": "c"}, 3)],
                additional_gids=[44],
                net_devices=[CDINetDevice("eth7", "eth7"), CDINetDevice("eth8", "eth1")],
                intel_rdt=CDIIntelRdt("best", schemata=["L3:0=f"], enable_monitoring=True),
            ),
        )

    def test_refused(self) -> None:
        """What no runtime would accept is refused by the device model."""
        self.assertRaises(BadDevice, filled, "netDevices: ['{pciBusID}/x']")
