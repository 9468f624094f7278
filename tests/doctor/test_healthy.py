"""Tests for `twistdp.doctor`: on healthy hosts it finds nothing."""

import os
import shutil

from tests.doctor.hosts import CAMERA, CRIO, PLUGINS, SPEC, HostCase
from twistdp.doctor import CHECKS, Severity, examine


class HealthyTests(HostCase):
    """No false alarm."""

    def test_containerd(self) -> None:
        """A node with containerd 2, chrony, a CDI spec and a plugin."""
        self.serve("lab.example.com.sock", "lab.example.com/camera", "cam-1", "cam-2")
        self.assert_well()

    def test_every_check_looks(self) -> None:
        """Each check, except for the one of the user, reports that all is well."""
        seen = {each.check for each in examine(self.host)}
        self.assertEqual(seen, {*CHECKS} - {"view"})
        for each in examine(self.host):
            self.assertEqual((each.meaning, each.remedy, each.severity), ("", "", Severity.OK))

    def test_defaults(self) -> None:
        """The defaults of containerd and the kubelet are worth a note at most."""
        self.write("/etc/containerd/config.toml", "version = 3\n")
        self.write("/var/lib/kubelet/config.yaml", "kind: KubeletConfiguration\n")
        found = self.findings()
        self.assertEqual({each.check for each in found}, {"numa", "runtime"})
        self.assertEqual({each.severity for each in found}, {Severity.INFO})

    def test_no_file(self) -> None:
        """A containerd without a file has its defaults."""
        shutil.rmtree(self.at("/etc/containerd"))
        found = self.assert_finds(
            Severity.INFO, "device_ownership_from_security_context", "runtime"
        )
        self.assertIn("supplementalGroups", found.remedy)

    def test_crio(self) -> None:
        """A node of OpenShift's kind, with drop-ins, and SELinux."""
        self.remove("/run/containerd/containerd.sock")
        shutil.rmtree(self.at("/proc/800"))
        shutil.rmtree(self.at("/etc/containerd"))
        words = "--config=/etc/kubernetes/kubelet.conf", "--config-dir", "/etc/openshift/k.conf.d"
        self.process(900, "/usr/bin/kubelet", *words)
        self.process(801, "/usr/bin/crio")
        self.versions[801] = "crio version 1.30.4"
        self.write("/etc/crio/crio.conf", CRIO)
        self.write("/etc/crio/crio.conf.d/01-own", '[crio.runtime]\ncdi_spec_dirs = ["/run/cdi"]\n')
        self.listen("/run/crio/crio.sock")
        self.write("/etc/kubernetes/kubelet.conf", "kind: KubeletConfiguration\n")
        drop_in = (
            "kind: KubeletConfiguration\ntopologyManagerPolicy: best-effort\n"
            "cpuManagerPolicy: static\ncontainerRuntimeEndpoint: unix:///var/run/crio/crio.sock\n"
        )
        self.write("/etc/openshift/k.conf.d/10-numa.conf", drop_in)
        self.write("/etc/openshift/k.conf.d/README", "not read")
        self.write("/sys/fs/selinux/enforce", "1")
        self.assert_well()

    def test_k3s(self) -> None:
        """K3s has the kubelet inside, its drop-ins elsewhere, and a containerd of its own."""
        for pid in (800, 900):
            shutil.rmtree(self.at(f"/proc/{pid}"))
        self.remove("/var/lib/kubelet/config.yaml")
        self.remove("/run/containerd/containerd.sock")
        shutil.rmtree(self.at("/etc/containerd"))
        place = "/var/lib/rancher/k3s/agent/etc"
        self.process(901, "/usr/local/bin/k3s server")
        self.process(801, "containerd", "-c", f"{place}/containerd/config.toml")
        self.versions |= {901: "k3s version v1.34.1+k3s1", 801: "containerd x v2.1.4-k3s1"}
        self.write(
            f"{place}/containerd/config.toml",
            "version = 3\n[plugins.'io.containerd.cri.v1.runtime']\n"
            "device_ownership_from_security_context = true\n",
        )
        self.write(
            f"{place}/kubelet.conf.d/00-k3s-defaults.conf",
            "kind: KubeletConfiguration\ntopologyManagerPolicy: restricted\n"
            "cpuManagerPolicy: static\n"
            "containerRuntimeEndpoint: unix:///run/k3s/containerd/containerd.sock\n",
        )
        self.listen("/run/k3s/containerd/containerd.sock")
        self.assert_well()

    def test_k0s(self) -> None:
        """K0s has another --root-dir; where that is no link, plugins need options."""
        place = "/var/lib/k0s/kubelet"
        words = "--config", "/run/k0s/kubelet.yaml", "--root-dir=" + place
        self.process(900, "/var/lib/k0s/bin/kubelet", *words)
        os.rename(self.at("/var/lib/kubelet/config.yaml"), self.at("/run/k0s.yaml"))
        os.makedirs(self.at("/run/k0s"))
        os.rename(self.at("/run/k0s.yaml"), self.at("/run/k0s/kubelet.yaml"))
        self.listen(f"{place}/pod-resources/kubelet.sock")
        found = self.assert_finds(Severity.INFO, "has --root-dir=/var/lib/k0s/kubelet")
        self.assertIn(f"--pod-resources-socket={place}/pod-resources/kubelet.sock", found.remedy)

    def test_microk8s(self) -> None:
        """MicroK8s has the kubelet's options in a file, and a link for its directory."""
        place = "/var/snap/microk8s/common/var/lib/kubelet"
        os.makedirs(self.at(os.path.dirname(place)))
        os.rename(self.at("/var/lib/kubelet"), self.at(place))
        os.symlink(place, self.at("/var/lib/kubelet"))
        arguments = "/var/snap/microk8s/current/args"
        self.process(900, "/snap/microk8s/1/kubelite", f"--kubelet-args-file={arguments}/kubelet")
        self.write(
            f"{arguments}/kubelet",
            "--root-dir=${SNAP_COMMON}/var/lib/kubelet\n--topology-manager-policy=restricted\n"
            "--cpu-manager-policy=static\n"
            "--container-runtime-endpoint=/var/snap/microk8s/common/run/containerd.sock\n",
        )
        self.process(800, "containerd", "--config", f"{arguments}/containerd.toml")
        self.write(f"{arguments}/containerd.toml", "version = 2\n" + _OLD)
        self.listen("/var/snap/microk8s/common/run/containerd.sock")
        self.assert_well()

    def test_docker_beside(self) -> None:
        """Docker's own containerd on the node is not the kubelet's."""
        file = "/var/run/docker/containerd/containerd.toml"
        self.process(300, "containerd", "--config", file)
        self.write(file, 'disabled_plugins = ["io.containerd.grpc.v1.cri"]\nversion = 2\n')
        self.assert_well()

    def test_strange_kubelet(self) -> None:
        """A process of another user does not count, whatever its name is."""
        self.process(100, "/home/eve/kubelet", "--config=/home/eve/x", uid=1000)
        self.assert_well()

    def test_own_spec(self) -> None:
        """Specs of twistdp's keep devices that have vanished."""
        devices = [{"name": "a", "containerEdits": {"deviceNodes": [{"path": "/dev/gone"}]}}]
        spec = {**SPEC, "kind": "lab.example.com/camera", "devices": devices}
        self.spec("/run/cdi/twistdp.lab.example.com_camera.json", spec)
        self.assert_well()

    def test_no_plugin(self) -> None:
        """A node on which no plugin was ever started."""
        self.remove(CAMERA)
        self.remove(f"{PLUGINS}/kubelet_internal_checkpoint")
        self.remove("/etc/cdi/vendor.json")
        os.rmdir(self.at("/run/cdi"))
        self.assert_well()


_OLD = """
[plugins."io.containerd.grpc.v1.cri"]
enable_cdi = true
device_ownership_from_security_context = true
"""
