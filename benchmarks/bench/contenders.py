"""The commands that are compared."""

import os
import shlex
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence

import attrs

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HERE = os.path.dirname(os.path.abspath(__file__))
NAMESPACE = "bench.example.com"

PYTHON = (sys.executable, "-S")
"""Python without `site`, whose ``.pth`` files would add directories to the path of some
contenders: that of an editable installation has a second list of twistd's plugins."""

OURS, PLAIN, AIO, SYNC = "twistdp", "plain grpcio", "echo aio", "echo sync"
"""Names: this working tree, the contrast, the floors."""
HAND, GLOB = "by hand", "GlobScanner"
"""Names of scanners beside a configuration file."""


@attrs.frozen
class Contender:
    """A plugin's command, with names in braces for values.

    ``{plugins}`` is the kubelet's directory, ``{devices}`` one whose files are the devices of
    `single`, or whose folders are the resources of `many` (nothing: it can serve only one), and
    ``{answer}`` the size of an Allocate's answer, in bytes.  `follows`: it sees changes and
    restarts.  Its Python finds modules in `source` and among the installed packages; without a
    `source` the environment stays as it is.  `directory` is where it runs.
    """

    name: str
    single: Sequence[str]
    many: Sequence[str] = ()
    follows: bool = True
    source: str | None = ROOT
    directory: str = HERE

    def command(self, many: bool = False, **values: object) -> list[str]:
        """The command with the values filled in."""
        texts = self.many if many else self.single
        return [text.format(**values) for text in texts]

    def environment(self) -> Mapping[str, str]:
        """The environment variables of its process."""
        variables = {**os.environ, "GRPC_VERBOSITY": "NONE"}
        if self.source is not None:
            packages = (sysconfig.get_path(name) for name in ("purelib", "platlib"))
            variables["PYTHONPATH"] = os.pathsep.join(dict.fromkeys([self.source, *packages]))
            # Otherwise only some of them would find their modules compiled.
            variables["PYTHONDONTWRITEBYTECODE"] = ""
        return variables


def twistdp(name: str = OURS, source: str = ROOT) -> Contender:
    """twistdp as it is in the directory `source`."""
    # The scanner is always the current one, from the directory that the process runs in.
    glob = ["--scanner=twistdp.scanners:GlobScanner", "--set=resource=file"]
    glob += ["--set=pattern={devices}/*", "--set=nodes_only=false", "--set=max_devices=200000"]
    folders = ["--scanner=scanner:FolderScanner", "--set=directory={devices}"]
    return Contender(name, _service(*glob), _service(*folders), source=source)


def declaring() -> Iterator[Contender]:
    """A configuration file, for the host whose root is ``{devices}``, and scanners beside it."""
    yield _configured()
    yield Contender(HAND, _service("--scanner=byhand:ByHand", "--set=root={devices}"))
    glob = ["--set=resource=tty", "--set=pattern={devices}/dev/ttyUSB*", "--set=nodes_only=false"]
    yield Contender(GLOB, _service("--scanner=twistdp.scanners:GlobScanner", *glob))


def related() -> Contender:
    """A configuration file whose rule has members and mounts."""
    return _configured("--set=file=members.yaml")


def _configured(*options: str) -> Contender:
    options = ("--scanner=configured:Configured", "--set=root={devices}", *options)
    return Contender(OURS, _service(*options))


def _service(*options: str) -> list[str]:
    """A plugin of twistdp with these options."""
    twistd = [*PYTHON, "-c", "from twisted.scripts.twistd import run; run()"]
    service = [*twistd, "-n", "--pidfile=", "deviceplugin", *options]
    service += [f"--namespace={NAMESPACE}", "--plugin-dir={plugins}", "--cdi-dir={plugins}/cdi"]
    return [*service, "--pod-resources-socket={plugins}/pods.sock"]


def plain() -> Contender:
    """The contrast: `examples/plain_grpcio.py`."""
    script = [*PYTHON, os.path.join(HERE, "contrast.py")]
    return Contender(
        PLAIN,
        [*script, "single", "{plugins}", "{devices}"],
        [*script, "many", "{plugins}", "{devices}"],
    )


def floors() -> Iterator[Contender]:
    """Servers that parse nothing."""
    for name in (AIO, SYNC):
        script = [*PYTHON, os.path.join(HERE, "floor.py"), name.split()[1]]
        yield Contender(
            name,
            [*script, "single", "{plugins}", "{devices}", "{answer}"],
            [*script, "many", "{plugins}", "{devices}", "{answer}"],
            follows=False,
        )


def other(text: str) -> Contender:
    """A plugin of any kind, given as ``NAME=COMMAND``; raises ValueError for anything else."""
    name, found, command = text.partition("=")
    if not (found and name and command):
        raise ValueError(f"{text!r}: give NAME=COMMAND, such as 'go=./plugin {{plugins}}'")
    return Contender(name, shlex.split(command), source=None, directory=os.getcwd())
