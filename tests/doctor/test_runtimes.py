"""Tests for `twistdp.doctor`: container runtimes, one fault each."""

import shutil

from tests.doctor.hosts import CONTAINERD, CRIO, KUBELET_CONFIG, HostCase
from twistdp.doctor import Severity

FILE = "/etc/containerd/config.toml"
OLD = '[plugins."io.containerd.grpc.v1.cri"]'
NEW = '[plugins."io.containerd.cri.v1.runtime"]'
OWNER = "device_ownership_from_security_context = true\n"


class ContainerdTests(HostCase):
    """Containerd's configuration."""

    def test_ended(self) -> None:
        """The kubelet's runtime does not run."""
        self.leave("/run/containerd/containerd.sock")
        text = "no container runtime listens on /run/containerd/containerd.sock"
        found = self.assert_finds(Severity.ERROR, text)
        self.assertIn("systemctl start containerd", found.remedy)
        shutil.rmtree(self.at("/proc/800"))
        shutil.rmtree(self.at("/etc/containerd"))
        self.assert_finds(Severity.ERROR, text)
        self.write("/var/lib/kubelet/config.yaml", "kind: KubeletConfiguration\n")
        self.assert_finds(Severity.ERROR, text, "runtime")

    def test_broken(self) -> None:
        """A file that is no TOML."""
        self.write(FILE, "version = ")
        self.assert_finds(Severity.ERROR, f"{FILE}: it is no TOML")

    def test_switched_off(self) -> None:
        """Docker's package switches off what a kubelet needs."""
        self.write(FILE, 'disabled_plugins = ["cri"]\n' + CONTAINERD)
        self.assert_finds(Severity.ERROR, "has its CRI plugin switched off")

    def test_ownership(self) -> None:
        """The default."""
        self.write(FILE, CONTAINERD.replace("context = true", "context = false"))
        self.assert_finds(Severity.INFO, "device_ownership_from_security_context off")

    def test_no_cdi(self) -> None:
        """CDI was switched off; that is a fault where there are specs."""
        self.write(FILE, CONTAINERD.replace("enable_cdi = true", "enable_cdi = false"))
        found = self.assert_finds(Severity.WARNING, "2.1.4 has CDI off: enable_cdi = false")
        self.assertIn("containers start without", found.meaning)
        self.versions[800] = "containerd x v2.3.0"
        found = self.assert_finds(Severity.WARNING, "2.3.0 has CDI off: enable_cdi = false")
        self.assertIn("are refused", found.meaning)
        self.remove("/etc/cdi/vendor.json")
        self.assert_finds(Severity.INFO, "has CDI off")

    def test_defaults(self) -> None:
        """Whether CDI is on by default depends on the version of the program, not of the file."""
        self.write(FILE, f"version = 2\n{OLD}\n{OWNER}")
        self.assert_well()
        self.versions[800] = "containerd github.com/containerd/containerd 1.7.27 abc"
        self.assert_finds(Severity.WARNING, "containerd 1.7.27 has CDI off: enable_cdi is not set")
        del self.versions[800]
        self.assert_finds(Severity.INFO, "the version of containerd is not known")

    def test_old_on(self) -> None:
        """Containerd 1.7 with CDI on."""
        self.versions[800] = "containerd github.com/containerd/containerd 1.7.27 abc"
        self.write(FILE, f"version = 2\n{OLD}\nenable_cdi = true\n{OWNER}")
        self.assert_well()

    def test_oldest_file(self) -> None:
        """A file of version 1, which states none."""
        self.write(FILE, f"[plugins.cri]\nenable_cdi = true\n{OWNER}")
        self.assert_well()

    def test_misplaced(self) -> None:
        """Settings where this containerd does not look for them in a file of this version."""
        self.write(FILE, f"version = 3\n{NEW}\n{OWNER}{OLD}\nenable_cdi = true\n")
        found = self.assert_finds(Severity.WARNING, "sets enable_cdi in .*grpc.v1.cri")
        self.assertIn("cri.v1.runtime", found.meaning)
        self.versions[800] = "containerd x v2.3.1"
        self.assert_well()
        self.write(FILE, f"version = 2\n{OLD}\nenable_cdi = true\n{NEW}\n{OWNER}")
        self.assert_well()
        self.versions[800] = "containerd x 1.7.27"
        found = self.findings("runtime")[0]
        self.assertRegex(found.found, "sets device_ownership_from.* in .*cri.v1.runtime")

    def test_imports(self) -> None:
        """A file that is imported counts more, also one of another version."""
        self.write("/etc/containerd/conf.d/99.toml", f"version = 2\n{OLD}\nenable_cdi = false\n")
        self.assert_finds(Severity.WARNING, "has CDI off: enable_cdi = false in .*/conf.d/99.toml")
        self.write("/etc/containerd/conf.d/99.toml", f'version = 3\nimports = ["{FILE}"]\n')
        self.assert_well()

    def test_old_imports(self) -> None:
        """Before 2.0, a file that is imported replaces the table of a plugin."""
        self.versions[800] = "containerd github.com/containerd/containerd 1.7.27 abc"
        main = f'version = 2\nimports = ["conf.d/*.toml"]\n{OLD}\nenable_cdi = true\n{OWNER}'
        self.write(FILE, main)
        self.write("/etc/containerd/conf.d/99.toml", f"version = 2\n{OLD}\n{OWNER}")
        self.assert_finds(Severity.WARNING, "containerd 1.7.27 has CDI off: enable_cdi is not set")
        self.write("/etc/containerd/conf.d/99.toml", "version = 2\n[debug]\nlevel = 'info'\n")
        self.assert_well()

    def test_directories(self) -> None:
        """The runtime looks only where people write."""
        self.write(FILE, CONTAINERD.replace(', "/var/run/cdi"', ""))
        self.assert_finds(Severity.WARNING, "looks for CDI specs in /etc/cdi$")

    def test_odd_values(self) -> None:
        """Values of a wrong kind count as none."""
        self.write(FILE, f"version = 'x'\nimports = 3\nplugins = 3\n{OWNER}")
        self.assert_finds(Severity.INFO, "ownership_from_security", "runtime")
        self.write(
            FILE, f"version = 3\ndisabled_plugins = [[3]]\n{NEW}\ncdi_spec_dirs = 3\n{OWNER}"
        )
        self.assert_well()

    def test_image_of_a_host(self) -> None:
        """Without processes, what is configured counts."""
        for pid in (800, 900):
            shutil.rmtree(self.at(f"/proc/{pid}"))
        self.remove("/run/containerd/containerd.sock")
        self.write(FILE, 'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n' + CONTAINERD)
        self.assert_finds(Severity.ERROR, "has its CRI plugin switched off", "runtime")

    def test_none(self) -> None:
        """No runtime that is known."""
        shutil.rmtree(self.at("/proc/800"))
        shutil.rmtree(self.at("/etc/containerd"))
        self.assert_finds(Severity.INFO, "neither containerd nor CRI-O is seen")


class CrioTests(HostCase):
    """CRI-O's configuration."""

    def node(self) -> None:
        """CRI-O in place of containerd."""
        super().node()
        shutil.rmtree(self.at("/proc/800"))
        shutil.rmtree(self.at("/etc/containerd"))
        socket = "/var/run/crio/crio.sock"
        config = KUBELET_CONFIG.replace("/run/containerd/containerd.sock", socket)
        self.write("/var/lib/kubelet/config.yaml", config)
        self.process(801, "/usr/bin/crio")
        self.versions[801] = "crio version 1.30.4"
        self.write("/etc/crio/crio.conf", CRIO)
        self.listen(socket)

    def test_well(self) -> None:
        """A host with CRI-O is healthy."""
        self.assert_well()

    def test_broken(self) -> None:
        """A drop-in that is no TOML."""
        self.write("/etc/crio/crio.conf.d/50-x", "[crio")
        self.assert_finds(Severity.ERROR, "/etc/crio/crio.conf.d/50-x: it is no TOML")

    def test_ownership(self) -> None:
        """The default."""
        self.write("/etc/crio/crio.conf", "")
        self.assert_finds(Severity.INFO, "CRI-O 1.30.4 has device_ownership_from_security_context")

    def test_no_cdi(self) -> None:
        """No directory to look in, or too old a version."""
        text = f"[crio.runtime]\ncdi_spec_dirs = []\n{OWNER}"
        self.write("/etc/crio/crio.conf.d/50-x", text)
        self.assert_finds(Severity.WARNING, "has CDI off: cdi_spec_dirs is empty", "runtime")
        self.remove("/etc/crio/crio.conf.d/50-x")
        self.versions[801] = "crio version 1.22.0"
        self.assert_finds(Severity.WARNING, "CRI-O 1.22.0 has CDI off: it came with 1.23")

    def test_directories(self) -> None:
        """The runtime looks only where people write."""
        text = '[crio.runtime]\ncdi_spec_dirs = ["/etc/cdi"]\n'
        self.write("/etc/crio/crio.conf.d/50-x", text)
        self.assert_finds(Severity.WARNING, "looks for CDI specs in /etc/cdi$")


class DockerTests(HostCase):
    """Docker behind cri-dockerd."""

    def test_docker(self) -> None:
        """Its settings are not looked at, and a note says so."""
        self.process(800, "/usr/bin/cri-dockerd", "--container-runtime-endpoint", "fd://")
        self.assert_finds(Severity.INFO, "the runtime is Docker with cri-dockerd")
