"""Ready-made scanners."""

from twistdp.scanners.globbing import GlobScanner

__all__ = ["GlobScanner", "declared"]
