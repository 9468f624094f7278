"""A resource's session with the kubelet, as an explicit machine.

Every input has an answer in every state, however late it comes; one that is not listed raises.
"""

from typing import Protocol

from automat import TypeMachineBuilder


class Effects(Protocol):
    """What a session does; tests record it."""

    def announce(self) -> None:
        """Drop a running attempt; serve the socket, end older streams and register."""

    def wait(self) -> None:
        """Have `Session.retry` called after a back-off."""

    def cease(self) -> None:
        """Drop a running attempt and a planned one."""


class Session(Protocol):
    """The inputs."""

    def start(self) -> None:
        """Begin."""

    def registered(self) -> None:
        """The kubelet has accepted."""

    def failed(self) -> None:
        """The attempt has failed: no kubelet, a refusal, or no socket to serve on."""

    def retry(self) -> None:
        """The back-off is over."""

    def outdated(self) -> None:
        """A new kubelet is there, or our socket is gone."""

    def stream_ended(self) -> None:
        """The kubelet's ListAndWatch is over: it has disconnected and never dials again."""

    def stop(self) -> None:
        """End for good."""


class _Core:
    def __init__(self, effects: Effects) -> None:
        self.effects = effects


_builder = TypeMachineBuilder(Session, _Core)

_idle = _builder.state("idle")
_announcing = _builder.state("announcing")
_registered = _builder.state("registered")
_waiting = _builder.state("waiting")
_stopped = _builder.state("stopped")


@_idle.upon(Session.start).to(_announcing)
@_announcing.upon(Session.outdated).to(_announcing)
@_registered.upon(Session.outdated).to(_announcing)
@_waiting.upon(Session.outdated).to(_announcing)
@_waiting.upon(Session.retry).to(_announcing)
def _announce(inputs: Session, core: _Core) -> None:
    core.effects.announce()


@_announcing.upon(Session.failed).to(_waiting)
# With a back-off: a kubelet that cannot take the list ends every stream at once.
@_registered.upon(Session.stream_ended).to(_waiting)
def _wait(inputs: Session, core: _Core) -> None:
    core.effects.wait()


@_announcing.upon(Session.stop).to(_stopped)
@_registered.upon(Session.stop).to(_stopped)
@_waiting.upon(Session.stop).to(_stopped)
@_idle.upon(Session.stop).to(_stopped)
def _cease(inputs: Session, core: _Core) -> None:
    core.effects.cease()


_announcing.upon(Session.registered).to(_registered).returns(None)

# Late news of an attempt that was dropped, of a stream that was replaced, or after the end.
for _state, _late in (
    (_idle, "registered failed retry outdated stream_ended"),
    (_announcing, "start retry stream_ended"),
    (_registered, "start registered failed retry"),
    (_waiting, "start registered failed stream_ended"),
    (_stopped, "start registered failed retry outdated stream_ended stop"),
):
    for _input in _late.split():
        _state.upon(getattr(Session, _input)).loop().returns(None)

_new = _builder.build()


def new_session(effects: Effects) -> Session:
    """A session that works through `effects`."""
    return _new(_Core(effects))
