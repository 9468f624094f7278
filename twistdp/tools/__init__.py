"""Small tools that know nothing about devices: delays, bursts, a thread, a followed value."""

from twistdp.tools.backoff import Backoff
from twistdp.tools.coalescing import Coalescer
from twistdp.tools.latest import Latest
from twistdp.tools.outage import News, Outage
from twistdp.tools.places import at, place_of
from twistdp.tools.quiet import hushed, quietly
from twistdp.tools.shared import Shared
from twistdp.tools.sparing import Budget, Sparing
from twistdp.tools.stopping import stop_all
from twistdp.tools.suggestions import meant, nearest
from twistdp.tools.turns import Turns
from twistdp.tools.waiting import Waiting
from twistdp.tools.worker import Worker

__all__ = [
    "Backoff",
    "Budget",
    "Coalescer",
    "Latest",
    "News",
    "Outage",
    "Shared",
    "Sparing",
    "Turns",
    "Waiting",
    "Worker",
    "at",
    "hushed",
    "meant",
    "nearest",
    "place_of",
    "quietly",
    "stop_all",
]
