"""Tests for `twistdp.cli.manifests`: ``twistdp manifests``."""

import os
import sys
from collections.abc import Iterator
from io import StringIO
from typing import Any

import yaml
from twisted.trial.unittest import SynchronousTestCase

from tests.support.helpers import temporary_directory
from twistdp import cli

OPTIONS = ("--scanner=nowhere:Scanner",)


def listed(text: str, key: str) -> list[Any]:
    """The list of this name in the DaemonSet's pods or their container; empty without one."""
    (daemon_set,) = (one for one in yaml.safe_load_all(text) if one["kind"] == "DaemonSet")
    pod = daemon_set["spec"]["template"]["spec"]
    found: list[Any] = pod.get(key) or pod["containers"][0].get(key, [])
    return found


def values(content: Any, key: str) -> Iterator[Any]:
    """All values of a key, wherever it is."""
    for name, value in content.items() if isinstance(content, dict) else enumerate(content):
        if name == key:
            yield value
        if isinstance(value, dict | list):
            yield from values(value, key)


class ManifestsTestCase(SynchronousTestCase):
    """The command, called."""

    def call(self, *arguments: str, status: int = 0) -> tuple[str, str]:
        """Output and errors of a call with this exit status."""
        output, errors = StringIO(), StringIO()
        self.patch(sys, "stdout", output)
        self.patch(sys, "stderr", errors)
        self.assertEqual(cli.main(["manifests", *arguments]), status)
        return output.getvalue(), errors.getvalue()

    def rendered(self, *arguments: str, options: tuple[str, ...] = OPTIONS) -> str:
        """What is printed."""
        return self.call(*arguments, "--", *options)[0]

    def file(self, text: str, name: str = "mine.py") -> str:
        """A scanner's file."""
        path = os.path.join(temporary_directory(self), name)
        with open(path, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        return path


class ConfigurationTests(ManifestsTestCase):
    """A configuration file, and entries of the catalogue."""

    def paths(self, text: str) -> list[str]:
        """The directories in the container, but for the kubelet's."""
        kubelets = "/var/lib/kubelet/"
        found = [one["mountPath"] for one in mounts(text)]
        return [path for path in found if not path.startswith(kubelets)]

    def test_config_map(self) -> None:
        """The file is in a ConfigMap whose name stays, and the plugin is given it."""
        for content in (
            "domain: a.example.com\nresources: {x: /dev/null}\n",
            "domain: b.example.com\nresources: {y: /dev/zero}\n",
        ):
            path = self.file(content, "lab.yaml")
            text, _ = self.call(f"--config={path}", "--name=lab", "--", "--registration=socket")
            made = {one["kind"]: one for one in yaml.safe_load_all(text)}
            config_map = made["ConfigMap"]
            self.assertEqual(config_map["metadata"]["name"], "lab-config")
            self.assertEqual(config_map["data"], {"lab.yaml": content})
            self.assertEqual(
                listed(text, "args"),
                ["--config=/etc/twistdp-config/lab.yaml", "--registration=socket"],
            )
            self.assertEqual(self.paths(text), ["/dev", "/run/udev", "/etc/twistdp-config"])
            volumes = {one["name"]: one for one in listed(text, "volumes")}
            self.assertEqual(volumes["config"]["configMap"], {"name": "lab-config"})
            # A node without udev still has the plugin.
            self.assertEqual(volumes["host-1"]["hostPath"]["type"], "DirectoryOrCreate")

    def test_with_scanner(self) -> None:
        """A scanner's file has a ConfigMap of its own."""
        config = self.file("domain: a.example.com\nresources: {x: /dev/null}\n", "lab.yaml")
        text = self.rendered(f"--config={config}", f"--scanner-file={self.file('x')}")
        self.assertEqual(self.paths(text)[-2:], ["/etc/twistdp", "/etc/twistdp-config"])

    def test_interfaces(self) -> None:
        """Of the node's network interfaces only the node's own sysfs has all."""
        for resource, wanted in (
            ("{usb: '1:1', as: net, env: {A: b}}", True),
            ("{subsystem: net, env: {A: b}}", True),
            ("{path: /dev/null, members: [{as: net}]}", True),
            ("/dev/null", False),
        ):
            path = self.file(f"domain: a.example.com\nresources: {{x: {resource}}}\n")
            self.assertIs("/sys" in self.paths(self.call(f"--config={path}")[0]), wanted, resource)

    def test_cdi(self) -> None:
        """A file that uses CDI needs no option for it."""
        for cdi, wanted in (("", False), (", cdi: {env: {A: b}}", True)):
            path = self.file(f"domain: a.example.com\nresources: {{x: {{path: /dev/null{cdi}}}}}\n")
            found = self.paths(self.call(f"--config={path}")[0])
            self.assertIs("/var/run/cdi" in found, wanted)

    def test_catalog(self) -> None:
        """Entries of the catalogue read udev's data base, too."""
        text = self.rendered(options=("--catalog=kvm", "--namespace=a.example.com"))
        self.assertEqual(self.paths(text), ["/dev", "/run/udev"])

    def test_refused(self) -> None:
        """All problems of a file are printed; a file that the container lacks is refused."""
        path = self.file("domain: a.example.com\nresources: {a: {pth: /x}, b: {as: ty}}\n")
        output, errors = self.call(f"--config={path}", status=1)
        self.assertEqual((output, errors.count("twistdp manifests: ")), ("", 2), errors)
        good = self.file("domain: a.example.com\nresources: {x: /dev/null}\n", "a b.yaml")
        for arguments, expected in (
            ([f"--config={good}"], "a ConfigMap accepts no file of this name"),
            (["--config=/absent"], "configuration /absent: No such file or directory"),
            (["--", "--config=mine.yaml"], "--config mine.yaml: the container has no such file"),
            (["--", "--config=/etc/mine.yaml"], "give it before the --"),
        ):
            self.assertIn(expected, self.call(*arguments, status=1)[1])
        text = self.rendered("--host-path=/etc/devices", options=("--config=/etc/devices/a.yaml",))
        self.assertEqual(listed(text, "args"), ["--config=/etc/devices/a.yaml"])


class OptionTests(ManifestsTestCase):
    """The options and the output for them."""

    def test_arguments(self) -> None:
        """The container gets the options as they are, also those that YAML or Kubernetes read."""
        odd = ("--set=a=$(HOME) $$", '--set=b="x"\ty', "--set=c=yes: # é\x85")
        options = [*OPTIONS, *odd]
        arguments = listed(self.rendered(options=(*OPTIONS, *odd)), "args")
        self.assertEqual([one.replace("$$", "$") for one in arguments], options)
        self.assertIn("$$(HOME) $$$$", arguments[1])

    def test_names(self) -> None:
        """The image, the name and the namespace are those of the options."""
        text = self.rendered("--image=mine:1", "--name=lab", "--namespace=devices")
        made = list(yaml.safe_load_all(text))
        self.assertEqual(list(values(made, "image")), ["mine:1"])
        self.assertEqual({one["metadata"]["name"] for one in made}, {"devices", "lab"})
        self.assertEqual({*values(made, "namespace")}, {"devices"})

    def test_names_that_look_otherwise(self) -> None:
        """Names that YAML could read as numbers or as nothing are written as text everywhere."""
        for name in ("123", "1e3", "y"):
            text = self.rendered(
                f"--name={name}", "--namespace=null", f"--scanner-file={self.file('x')}"
            )
            made = list(yaml.safe_load_all(text))
            self.assertEqual({*values(made, "namespace")}, {"null"})
            self.assertEqual({*values(made, "app.kubernetes.io/name")}, {name})
            self.assertIn(f'app.kubernetes.io/name: "{name}"\n', text)

    def test_paths(self) -> None:
        """The container has the kubelet's directory and /dev, or the given paths."""
        plugins = {"name": "kubelet", "mountPath": "/var/lib/kubelet/device-plugins"}
        read = {"readOnly": True, "recursiveReadOnly": "Enabled"}
        pods = {"name": "pod-resources", "mountPath": "/var/lib/kubelet/pod-resources", **read}
        dev = {"name": "host-0", "mountPath": "/dev", **read}
        self.assertEqual(mounts(self.rendered()), [plugins, pods, dev])
        text = self.rendered(
            "--host-path=/run/colors",
            options=(*OPTIONS, "--plugin-dir=/x/plugins", "--pod-resources-socket=/x/pods/k.sock"),
        )
        self.assertEqual(
            [(one["mountPath"], one.get("readOnly")) for one in mounts(text)],
            [("/x/plugins", None), ("/x/pods", True), ("/run/colors", True)],
        )
        text = self.rendered(*2 * ("--host-path=/dev",), f"--host-path={plugins['mountPath']}/")
        self.assertEqual(mounts(text), [plugins, pods, dev])

    def test_pod_resources(self) -> None:
        """A pod does not wait for a kubelet that has no such directory."""
        (volume,) = (v for v in listed(self.rendered(), "volumes") if v["name"] == "pod-resources")
        path = "/var/lib/kubelet/pod-resources"
        self.assertEqual(volume["hostPath"], {"path": path, "type": "DirectoryOrCreate"})

    def test_state(self) -> None:
        """State that must outlive the pod is on the node, if a directory for it is given."""
        given = "--state-dir=/run/twistdp-state"
        text = self.rendered(options=(*OPTIONS, given))
        self.assertIn({"name": "state", "mountPath": "/run/twistdp-state"}, mounts(text))
        volume = {"path": "/run/twistdp-state", "type": "DirectoryOrCreate"}
        self.assertIn({"name": "state", "hostPath": volume}, listed(text, "volumes"))
        self.assertIn(given, listed(text, "args"))
        for options in (OPTIONS, (*OPTIONS, "--state-dir=/run/twistdp")):
            self.assertNotIn("name: state", self.rendered(options=options))

    def test_watcher(self) -> None:
        """The registry's parent without its secrets, and nothing twice."""
        options = (*OPTIONS, "--registration=watcher")
        secrets = [f"/var/lib/kubelet/{name}" for name in ("checkpoints", "pki", "plugins", "pods")]
        for flags, expected, hidden in (
            ((), ["/var/lib/kubelet", "/dev"], secrets),
            (("--cdi",), ["/var/lib/kubelet", "/var/run/cdi", "/dev"], secrets),
            (("--host-path=/dev", f"--host-path={secrets[3]}/"), None, secrets[:3]),
        ):
            text = self.rendered(*flags, options=options)
            found = mounts(text)
            shown = [one["mountPath"] for one in found if one["name"] != "hidden"]
            self.assertEqual(shown, expected or ["/var/lib/kubelet", "/dev", secrets[3]])
            self.assertEqual(
                [one for one in found if one["name"] == "hidden"],
                [{"name": "hidden", "mountPath": path, "readOnly": True} for path in hidden],
            )
            self.assertIn({"name": "hidden", "emptyDir": {}}, listed(text, "volumes"))
        elsewhere = (*options, "--registry-dir=/x/y")
        for text in (self.rendered(), self.rendered(options=elsewhere)):
            self.assertNotIn("hidden", text)

    def test_cdi(self) -> None:
        """Specs are written, and their directory is made."""
        text = self.rendered("--cdi", options=(*OPTIONS, "--cdi-dir=/etc/cdi"))
        path = {"path": "/etc/cdi", "type": "DirectoryOrCreate"}
        self.assertIn({"name": "cdi", "hostPath": path}, listed(text, "volumes"))
        self.assertIn({"name": "cdi", "mountPath": "/etc/cdi"}, mounts(text))

    def test_selinux(self) -> None:
        """The SELinux type is present if it is requested."""
        self.assertNotIn("seLinux", self.rendered())
        self.assertIn("type: container_device_plugin_t\n", self.rendered("--selinux"))

    def test_namespaces_of_every_cluster(self) -> None:
        """Namespaces of Kubernetes are neither made nor changed."""
        made = self.rendered("--namespace=devices")
        self.assertEqual(next(yaml.safe_load_all(made))["kind"], "Namespace")
        self.assertIn("enforce: privileged", made)
        for namespace in ("default", "kube-system", "kube-public", "kube-node-lease"):
            text = self.rendered(f"--namespace={namespace}")
            self.assertTrue(text.startswith("apiVersion: v1\nkind: ServiceAccount\n"), text)
            self.assertNotIn("enforce", text)
            self.assertIn(f"  namespace: {namespace}\n", text)

    def test_catalogue(self) -> None:
        """Entries of the catalogue need no scanner."""
        text = self.rendered(options=("--catalog=kvm", "--namespace=lab.example.com"))
        self.assertIn('            - "--catalog=kvm"\n', text)

    def test_refusals(self) -> None:
        """An error is one line and status 1."""
        for arguments, expected in (
            (["--name=Big", "--", *OPTIONS], "--name Big: use at most 40"),
            (["--host-path=dev", "--", *OPTIONS], "--host-path dev: give an absolute path"),
            (["--image=", "--", *OPTIONS], "--image '': give an image's name"),
            (["--image=a b", "--", *OPTIONS], "--image 'a b': give an image's name"),
            (["--", *OPTIONS, "--set=a=\udcff"], "--set=a=\\xff"),
            (["--", *OPTIONS, "--plugin-dir=rel"], "--plugin-dir 'rel': give an absolute path"),
            (["--", *OPTIONS, "--help"], "--help: the plugin would only print its help"),
            ([], "--scanner is missing"),
            (["--", "--catalog=kwm"], "no entry 'kwm'; did you mean kvm?"),
            (["--", *OPTIONS, "--wrong"], "--wrong"),
            (["--", *OPTIONS, "--registration=x"], "registration 'x'"),
        ):
            self.refused(expected, *arguments)

    def test_in_the_way(self) -> None:
        """A node's path that would hide the container's files is refused, with the option."""
        watcher = "--registration=watcher", "--registry-dir=/plugins"
        for arguments, path, option in (
            (["--host-path=/", "--", *OPTIONS], "/", "--host-path"),
            (["--host-path=//", "--", *OPTIONS], "/", "--host-path"),
            (["--host-path=/usr/", "--", *OPTIONS], "/usr", "--host-path"),
            (["--", *OPTIONS, *watcher], "/", "--registry-dir, whose parent is mounted"),
            (["--", *OPTIONS, "--plugin-dir=/"], "/", "--plugin-dir"),
            (["--cdi", "--", *OPTIONS, "--cdi-dir=/"], "/", "--cdi-dir"),
            (["--", *OPTIONS, "--state-dir=/"], "/", "--state-dir"),
            (["--", *OPTIONS, "--pod-resources-socket=/k.sock"], "/", "--pod-resources-socket"),
        ):
            self.refused(
                f"mounting the node's {path} would hide the container's own programs: give another "
                f"{option}\n",
                *arguments,
            )

    def test_own_directory(self) -> None:
        """So is one that the container has an empty directory at."""
        found = "mounting the node's /run/twistdp is in the way of the container's own directory"
        self.refused(found, "--host-path=/run/twistdp", "--", *OPTIONS)

    def test_colons(self) -> None:
        """A path that Kubernetes does not mount is refused, with the option."""
        for arguments, option in (
            (["--host-path=/dev/a:b", "--", *OPTIONS], "--host-path"),
            (["--", *OPTIONS, "--plugin-dir=/a:b"], "--plugin-dir"),
        ):
            self.refused("Kubernetes accepts no ':' in the path of a mount; give", *arguments)
            self.refused(f"another {option}\n", *arguments)

    def refused(self, expected: str, *arguments: str) -> None:
        """Check that a call prints one line with the error."""
        output, errors = self.call(*arguments, status=1)
        self.assertEqual((output, errors.count("\n")), ("", 1))
        self.assertTrue(errors.startswith("twistdp manifests: "), errors)
        self.assertIn(expected, errors)


class ProbeTests(ManifestsTestCase):
    """How Kubernetes asks."""

    def test_socket(self) -> None:
        """In the container, at a socket in a directory of its own: no port is open."""
        text = self.rendered()
        self.assertIn({"name": "run", "mountPath": "/run/twistdp"}, listed(text, "volumeMounts"))
        (run,) = (one for one in listed(text, "volumes") if one["name"] == "run")
        self.assertEqual(run["emptyDir"]["medium"], "Memory")
        (container,) = listed(text, "containers")
        self.assertNotIn("ports", container)
        for probe, path in (("livenessProbe", "livez"), ("readinessProbe", "readyz")):
            self.assertEqual(container[probe]["exec"]["command"][4], path)
        (name,) = container["env"]
        self.assertEqual(name["valueFrom"], {"fieldRef": {"fieldPath": "spec.nodeName"}})

    def test_port(self) -> None:
        """At a port, if the plugin is to listen there."""
        (container,) = listed(self.rendered("--http-port=9102"), "containers")
        self.assertEqual(container["args"][-1], "--http=tcp:9102")
        self.assertEqual(container["ports"], [{"name": "http", "containerPort": 9102}])
        asked = [container[f"{probe}Probe"]["httpGet"] for probe in ("liveness", "readiness")]
        self.assertEqual(
            asked, [{"path": "/livez", "port": 9102}, {"path": "/readyz", "port": 9102}]
        )


def mounts(text: str) -> Any:
    """The mounts of the container, without the directory of its sockets, which it always has."""
    return [one for one in listed(text, "volumeMounts") if one["name"] != "run"]


class ScannerFileTests(ManifestsTestCase):
    """``--scanner-file``"""

    def test_in_the_path(self) -> None:
        """The file is in a ConfigMap, in the container, and where Python looks."""
        content = "a = 1\n\nb = 2\n"
        text = self.rendered(f"--scanner-file={self.file(content)}")
        self.assertIn("data:\n  mine.py: |\n    a = 1\n\n    b = 2\n---\n", text)
        self.assertIn({"name": "PYTHONPATH", "value": "/etc/twistdp"}, listed(text, "env"))
        self.assertEqual(listed(text, "volumeMounts")[-1]["mountPath"], "/etc/twistdp")
        name = listed(text, "volumes")[-1]["configMap"]["name"]
        (config_map,) = (one for one in yaml.safe_load_all(text) if one["kind"] == "ConfigMap")
        self.assertEqual(config_map["metadata"]["name"], name)
        self.assertEqual(config_map["data"], {"mine.py": content})

    def test_name_changes(self) -> None:
        """Another text is another ConfigMap, so that pods are replaced."""
        names = {
            listed(self.rendered(f"--scanner-file={self.file(text)}"), "volumes")[-1]["configMap"][
                "name"
            ]
            for text in ("a = 1\n", "a = 2\n", "a = 1\n")
        }
        self.assertEqual(len(names), 2)

    def test_odd_name(self) -> None:
        """A file name that no ConfigMap accepts is refused."""
        _, errors = self.call(
            f"--scanner-file={self.file('', 'my file.py')}", "--", *OPTIONS, status=1
        )
        self.assertIn("a ConfigMap accepts no file of this name", errors)

    def test_in_the_way(self) -> None:
        """With a scanner's file, no path of the node may overlap with its directory."""
        file = f"--scanner-file={self.file('')}"
        for path in ("/etc", "/etc/twistdp", "/etc/twistdp/", "/etc/twistdp/x"):
            _, errors = self.call(file, f"--host-path={path}", "--", *OPTIONS, status=1)
            self.assertIn(
                "is in the way of /etc/twistdp, the directory of the --scanner-file", errors
            )
            self.rendered(f"--host-path={path}")
        self.rendered(file, "--host-path=/etc/twistdp2")

    def test_unreadable(self) -> None:
        """A file that is missing, no file, or no text is named, with the error."""
        directory = temporary_directory(self)
        binary = os.path.join(directory, "mine.so")
        with open(binary, "wb") as file:
            file.write(b"ab\xff")
        for path, expected in (
            ("/nonexistent", "it cannot be read: No such file or directory"),
            (directory, "it cannot be read: Is a directory"),
            (binary, "it is not UTF-8 from byte 2 on"),
        ):
            output, errors = self.call(f"--scanner-file={path}", "--", *OPTIONS, status=1)
            self.assertEqual((output, errors.count("\n")), ("", 1))
            self.assertIn(f"twistdp manifests: --scanner-file {path}: {expected}; name ", errors)

    def test_too_large(self) -> None:
        """A file that is larger than a ConfigMap accepts is refused."""
        self.rendered(f"--scanner-file={self.file('x' * 1048576)}")
        file = f"--scanner-file={self.file('é' * 524288 + 'x')}"
        _, errors = self.call(file, "--", *OPTIONS, status=1)
        self.assertIn("more than the 1048576 bytes that a ConfigMap accepts", errors)
