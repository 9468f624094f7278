"""The scanner of a configuration file, for a host below another root."""

from benchmarks.bench.byhand import timed
from twistdp import DeviceTree
from twistdp.launch.configured import by_domain, read_config
from twistdp.scanners.declared import DeclaredScanner


class Configured(DeclaredScanner):
    """Serves the one domain of a configuration file in the root."""

    def __init__(self, root: str, file: str = "config.yaml") -> None:
        (resources,) = by_domain(read_config(f"{root}/{file}")).values()
        super().__init__(resources, root)

    def discover(self) -> DeviceTree:
        """Look at the whole host."""
        with timed():
            return super().discover()
