"""Tests for `twistdp.doctor`: broken kubelets, sockets and plugins, one fault each."""

import os
import shutil
import socket

from tests.doctor.hosts import CAMERA, KUBELET_CONFIG, PLUGINS, HostCase
from twistdp.doctor import Severity

REGISTRY = "/var/lib/kubelet/plugins_registry"
POD_RESOURCES = "/var/lib/kubelet/pod-resources"


class KubeletTests(HostCase):
    """The kubelet and its directory."""

    def test_no_node(self) -> None:
        """A host that was never a node is one finding, not a dozen."""
        shutil.rmtree(self.at("/var/lib/kubelet"))
        for pid in (800, 900):
            shutil.rmtree(self.at(f"/proc/{pid}"))
        shutil.rmtree(self.at("/etc/containerd"))
        found = self.assert_finds(Severity.WARNING, "no kubelet runs here, and none has left")
        self.assertIn("--root", found.remedy)

    def test_ended(self) -> None:
        """A kubelet that has ended leaves its socket and its checkpoint."""
        self.end()
        found = self.assert_finds(Severity.ERROR, "nobody listens on .*kubelet.sock", "kubelet")
        self.assertIn("systemctl start kubelet", found.remedy)
        self.remove(f"{PLUGINS}/kubelet.sock")
        self.assert_finds(Severity.ERROR, "no kubelet runs, and there is no", "kubelet")

    def test_without_socket(self) -> None:
        """A kubelet that runs, but has no socket."""
        self.remove(f"{PLUGINS}/kubelet.sock")
        self.assert_finds(Severity.ERROR, "a kubelet runs, and there is no .*kubelet.sock")

    def test_no_socket(self) -> None:
        """A file in the place of the socket."""
        self.remove(f"{PLUGINS}/kubelet.sock")
        self.write(f"{PLUGINS}/kubelet.sock", "?")
        self.assert_finds(Severity.ERROR, "kubelet.sock is no socket")

    def test_full(self) -> None:
        """A kubelet that takes no connections."""
        self.remove(f"{PLUGINS}/kubelet.sock")
        with socket.socket(socket.AF_UNIX) as deaf, socket.socket(socket.AF_UNIX) as first:
            deaf.bind(self.at(f"{PLUGINS}/kubelet.sock"))
            deaf.listen(0)
            first.connect(deaf.getsockname())
            self.assert_finds(Severity.WARNING, "its queue of connections is full")

    def test_stranger(self) -> None:
        """Another user listens where the kubelet should."""
        if os.geteuid() != 0:
            self.skipTest("it listens as another user: run it as root")
        self.remove(f"{PLUGINS}/kubelet.sock")
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(self.at(f"{PLUGINS}/kubelet.sock"))
            os.seteuid(12345)
            try:
                other.listen(64)
            finally:
                os.seteuid(0)
            self.assert_finds(Severity.WARNING, r"of user 12345 listens on .*, not root")

    def test_open_directory(self) -> None:
        """Everybody may write in the directory."""
        os.chmod(self.at(PLUGINS), 0o777)
        found = self.assert_finds(Severity.ERROR, r"other users may write in .* \(mode 0777\)")
        self.assertEqual(found.remedy, f"chmod go-w {PLUGINS}")

    def test_owner(self) -> None:
        """The directory belongs to somebody."""
        if os.geteuid() != 0:
            self.skipTest("it changes owners: run it as root")
        os.chown(self.at(PLUGINS), 1234, 0)
        self.assert_finds(Severity.ERROR, "belongs to user 1234")

    def test_no_directory(self) -> None:
        """A file in the place of the directory."""
        shutil.rmtree(self.at(PLUGINS))
        self.write(PLUGINS, "?")
        found = [each.found for each in self.findings("kubelet")]
        self.assertIn(f"{PLUGINS} is no directory", found)

    def test_pod_resources(self) -> None:
        """The kubelet cannot be asked who has a device."""
        self.leave(f"{POD_RESOURCES}/kubelet.sock")
        found = self.assert_finds(Severity.WARNING, "kubelet.sock does not answer: Connection ref")
        self.assertIn("no holders", found.meaning)
        self.remove(f"{POD_RESOURCES}/kubelet.sock")
        self.assert_finds(Severity.WARNING, "there is no socket .*pod-resources/kubelet.sock")


class SocketTests(HostCase):
    """The sockets of plugins."""

    def test_stale(self) -> None:
        """A plugin was killed."""
        self.leave(CAMERA)
        self.assert_finds(Severity.WARNING, f"nobody listens on {CAMERA}$")

    def test_stale_in_registry(self) -> None:
        """A plugin that the kubelet found by its watcher was killed."""
        self.leave(f"{REGISTRY}/a.sock")
        self.assert_finds(Severity.WARNING, f"nobody listens on {REGISTRY}/a.sock$")

    def test_full(self) -> None:
        """A plugin that takes no connections."""
        self.remove(CAMERA)
        with socket.socket(socket.AF_UNIX) as deaf, socket.socket(socket.AF_UNIX) as first:
            deaf.bind(self.at(CAMERA))
            deaf.listen(0)
            first.connect(deaf.getsockname())
            self.assert_finds(Severity.WARNING, f"cannot connect to {CAMERA}: its queue of conn")

    def test_wide(self) -> None:
        """Everybody may connect, since the directories let everybody through."""
        for directory in ("/", "/var", "/var/lib", "/var/lib/kubelet", PLUGINS):
            os.chmod(self.at(directory), 0o755)
        os.chmod(self.at(CAMERA), 0o777)
        self.assert_finds(Severity.WARNING, f"every user may connect to {CAMERA}")
        os.chmod(self.at(PLUGINS), 0o750)
        self.assert_well()

    def test_many(self) -> None:
        """A list is cut."""
        for number in range(9):
            self.leave(f"{PLUGINS}/{number}.sock")
        self.assert_finds(Severity.WARNING, "nobody listens on .* and 3 more")


class PluginTests(HostCase):
    """Two plugins for one resource, and the answers of twistdp's plugins."""

    def test_two_of_ours(self) -> None:
        """Two plugins of twistdp serve a resource."""
        for name in ("a.sock", "b.sock"):
            self.serve(name, "lab.example.com/camera", "cam-1")
        self.assert_finds(Severity.ERROR, "lab.example.com/camera is served by .*a.sock and .*b.s")

    def test_both_ways(self) -> None:
        """A socket of the same name in both of the kubelet's directories."""
        self.listen(f"{REGISTRY}/lab.example.com_camera.sock")
        self.assert_finds(Severity.ERROR, "lab.example.com_camera.sock is in .* and in .*registry")
        self.leave(f"{REGISTRY}/lab.example.com_camera.sock")
        self.assert_finds(Severity.WARNING, "nobody listens")

    def test_foreign(self) -> None:
        """The kubelet has another plugin's devices for the resource."""
        self.serve("a.sock", "lab.example.com/camera", "cam-1")
        self.checkpoint({"lab.example.com/camera": ["cam-1", "video7"]})
        found = self.assert_finds(Severity.WARNING, "has the devices video7 of lab.example.com/cam")
        self.assertIn("another plugin", found.meaning)
        self.assertTrue(found.remedy.endswith("there, end the other plugin"), found.remedy)
        self.listen(f"{PLUGINS}/other.sock")
        found = self.assert_finds(Severity.WARNING, "has the devices video7 of lab.example.com/cam")
        self.assertIn(f"may be one of {PLUGINS}/other.sock of process {os.getpid()}", found.remedy)

    def test_silent(self) -> None:
        """The kubelet has ended the stream."""
        self.serve("a.sock", "lab.example.com/camera", "cam-1", streams=0)
        self.assert_finds(Severity.WARNING, "is registered, and the kubelet has no stream")

    def test_emulated(self) -> None:
        """A plugin of an emulated kubelet's has nothing to do with this one."""
        for name in ("a.sock", "b.sock"):
            self.serve(name, "lab.example.com/camera", "x", streams=0)
            self.states[name]["resources"][0]["endpoint"] = "/tmp/lab/x.sock"
        self.assert_well()

    def test_not_registered(self) -> None:
        """A plugin that is not registered is left to twistdp status."""
        self.serve("a.sock", "lab.example.com/camera", "x", streams=0, standing="failing")
        self.assert_well()

    def test_deaf(self) -> None:
        """A plugin that does not answer."""
        self.listen("/run/twistdp/a.sock")
        self.assert_finds(Severity.WARNING, "plugin on /run/twistdp/a.sock does not answer")

    def test_killed(self) -> None:
        """A socket that is left over hurts nobody."""
        self.leave("/run/twistdp/a.sock")
        self.assert_finds(Severity.INFO, "nobody listens on /run/twistdp/a.sock")

    def test_older(self) -> None:
        """A plugin that runs an older version than this."""
        self.serve("a.sock", "lab.example.com/camera", "cam-1")
        self.states["a.sock"]["version"] = "0.0.1"
        self.assert_finds(Severity.INFO, "is twistdp 0.0.1, and this command is")

    def test_odd_state(self) -> None:
        """An answer that makes no sense."""
        self.serve("a.sock", "lab.example.com/camera", "cam-1")
        odd = {"name": 1, "endpoint": CAMERA}
        for resources in (
            [3],
            [{**odd, "devices": [2, {"id": 3}], "session": []}],
            [{**odd, "devices": 4, "session": {"streams": "many"}}],
            {"a": 1},
            None,
        ):
            self.states["a.sock"]["resources"] = resources
            self.assert_well()

    def test_checkpoint(self) -> None:
        """A checkpoint that cannot be read."""
        self.write(f"{PLUGINS}/kubelet_internal_checkpoint", "{")
        self.assert_finds(Severity.WARNING, "could not be checked: .*checkpoint: it is no JSON")
        for odd in ("[]", "3", '{"Data": {"RegisteredDevices": {"a": 1, "b": [1]}}}'):
            self.write(f"{PLUGINS}/kubelet_internal_checkpoint", odd)
            self.assert_well()


class ConfigurationTests(HostCase):
    """The kubelet's configuration."""

    def configure(self, text: str) -> None:
        """Add to the kubelet's configuration."""
        self.write("/var/lib/kubelet/config.yaml", KUBELET_CONFIG + text)

    def test_missing(self) -> None:
        """The file that the kubelet was started with is gone."""
        self.remove("/var/lib/kubelet/config.yaml")
        self.assert_finds(Severity.ERROR, "there is no such file", "kubelet-config")

    def test_no_yaml(self) -> None:
        """A file that is not YAML, or not a kubelet's configuration, is an error."""
        for odd, text in (("a: [", "neither YAML nor JSON"), ("a: 1", "has no 'kind: Kube")):
            self.write("/var/lib/kubelet/config.yaml", odd)
            self.assert_finds(Severity.ERROR, text, "kubelet-config")

    def test_drop_in(self) -> None:
        """A drop-in without a kind."""
        words = "--config=/var/lib/kubelet/config.yaml", "--config-dir=/etc/kubelet.d"
        self.process(900, "/usr/bin/kubelet", *words)
        self.write("/etc/kubelet.d/more/10.conf", "topologyManagerPolicy: none\n")
        self.assert_finds(Severity.ERROR, "/etc/kubelet.d/more/10.conf: it has no 'kind")

    def test_gates(self) -> None:
        """Features that plugins need are off."""
        self.configure("featureGates: {DevicePluginCDIDevices: false}\n")
        self.assert_finds(Severity.WARNING, "feature gate DevicePluginCDIDevices is off")
        self.configure("featureGates: {DevicePluginCDIDevices: true}\n")
        self.assert_well()
        words = "--config=/var/lib/kubelet/config.yaml", "--feature-gates=A=true,DevicePlugins=0"
        self.process(900, "/usr/bin/kubelet", *words)
        self.assert_finds(Severity.WARNING, "feature gate DevicePlugins is off")

    def test_unseen(self) -> None:
        """Of a kubelet that does not run, usual places are looked at."""
        self.end()
        found = [each for each in self.findings() if each.check != "kubelet"]
        self.assertEqual(found, [])
        self.remove("/var/lib/kubelet/config.yaml")
        self.assert_finds(Severity.INFO, "configuration is not seen", "kubelet-config")

    def test_kubeconfig(self) -> None:
        """A file of kubeadm's in the place of OpenShift's configuration is no fault."""
        self.end()
        self.remove("/var/lib/kubelet/config.yaml")
        self.write("/etc/kubernetes/kubelet.conf", "kind: Config\n")
        self.assert_finds(Severity.INFO, "configuration is not seen", "kubelet-config")

    def test_no_policy(self) -> None:
        """Several NUMA nodes that nobody looks at."""
        self.configure("topologyManagerPolicy: none\n")
        self.assert_finds(Severity.INFO, "2 NUMA nodes, and .*topologyManagerPolicy is none")
        shutil.rmtree(self.at("/sys/devices/system/node/node1"))
        self.assert_well()

    def test_no_cpus(self) -> None:
        """Devices are aligned, and CPUs are not."""
        self.configure("cpuManagerPolicy: none\n")
        self.assert_finds(Severity.INFO, "cpuManagerPolicy is none")

    def test_too_many_nodes(self) -> None:
        """More NUMA nodes than a kubelet starts with."""
        for number in range(16):
            self.write(f"/sys/devices/system/node/node{number}/cpulist", "0\n")
        self.assert_finds(Severity.WARNING, "16 NUMA nodes with topologyManagerPolicy single-numa")
        self.configure("topologyManagerPolicyOptions: {max-allowable-numa-nodes: '16'}\n")
        self.assert_well()

    def test_old(self) -> None:
        """Kubelets that cannot do what plugins need."""
        self.versions[900] = "Kubernetes v1.28.3"
        self.assert_finds(Severity.INFO, "the kubelet is version 1.28.3")
        self.versions[900] = "Kubernetes v1.19.0"
        self.assert_finds(Severity.WARNING, "the kubelet is version 1.19.0")
        del self.versions[900]
        self.assert_well()
