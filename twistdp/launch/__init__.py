"""Before the service starts: arguments, loading a scanner, the first process, the first line."""

from twistdp.launch.first_process import stand_in
from twistdp.launch.loading import make
from twistdp.launch.opening import Opening, Serving

__all__ = ["Opening", "Serving", "make", "stand_in"]
