"""Tests for `twistdp.kubelet.session`."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from twistdp.kubelet.session import Session, new_session

INPUTS = ("start", "registered", "failed", "retry", "outdated", "stream_ended", "stop")

PATHS = {
    "idle": (),
    "announcing": ("start",),
    "registered": ("start", "registered"),
    "waiting": ("start", "failed"),
    "stopped": ("start", "stop"),
}
"""Inputs that lead into each state."""

TABLE: dict[str, dict[str, tuple[str | None, str]]] = {
    "idle": {
        "start": ("announce", "announcing"),
        "registered": (None, "idle"),
        "failed": (None, "idle"),
        "retry": (None, "idle"),
        "outdated": (None, "idle"),
        "stream_ended": (None, "idle"),
        "stop": ("cease", "stopped"),
    },
    "announcing": {
        "start": (None, "announcing"),
        "registered": (None, "registered"),
        "failed": ("wait", "waiting"),
        "retry": (None, "announcing"),
        "outdated": ("announce", "announcing"),
        "stream_ended": (None, "announcing"),
        "stop": ("cease", "stopped"),
    },
    "registered": {
        "start": (None, "registered"),
        "registered": (None, "registered"),
        "failed": (None, "registered"),
        "retry": (None, "registered"),
        "outdated": ("announce", "announcing"),
        "stream_ended": ("wait", "waiting"),
        "stop": ("cease", "stopped"),
    },
    "waiting": {
        "start": (None, "waiting"),
        "registered": (None, "waiting"),
        "failed": (None, "waiting"),
        "retry": ("announce", "announcing"),
        "outdated": ("announce", "announcing"),
        "stream_ended": (None, "waiting"),
        "stop": ("cease", "stopped"),
    },
    "stopped": {
        "start": (None, "stopped"),
        "registered": (None, "stopped"),
        "failed": (None, "stopped"),
        "retry": (None, "stopped"),
        "outdated": (None, "stopped"),
        "stream_ended": (None, "stopped"),
        "stop": (None, "stopped"),
    },
}
"""What each input does in each state: an effect or none, and the state after it."""


class RecordingEffects:
    """Effects that only note their calls."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def announce(self) -> None:
        """Note it."""
        self.calls.append("announce")

    def wait(self) -> None:
        """Note it."""
        self.calls.append("wait")

    def cease(self) -> None:
        """Note it."""
        self.calls.append("cease")


def effects_of(*inputs: str) -> list[str]:
    """The effects of a new session's inputs."""
    effects = RecordingEffects()
    session = new_session(effects)
    for name in inputs:
        getattr(session, name)()
    return effects.calls


def behaviour(*inputs: str) -> dict[str, list[str]]:
    """The effect of each further input after these, which identifies the state."""
    done = len(effects_of(*inputs))
    return {name: effects_of(*inputs, name)[done:] for name in INPUTS}


class SessionTests(SynchronousTestCase):
    """A session with the kubelet is a state machine."""

    def test_every_input_in_every_state(self) -> None:
        """Each input has the effect that the table states, or none, and never raises."""
        for state, row in TABLE.items():
            path = PATHS[state]
            self.assertEqual(set(row), set(INPUTS))
            for name, (effect, _) in row.items():
                done = len(effects_of(*path))
                self.assertEqual(
                    effects_of(*path, name)[done:],
                    [effect] if effect else [],
                    f"{name} when {state}",
                )

    def test_states_can_be_told_apart(self) -> None:
        """The five states differ in what they do on further inputs."""
        behaviours = [behaviour(*path) for path in PATHS.values()]
        for number, one in enumerate(behaviours):
            self.assertNotIn(one, behaviours[:number])

    def test_every_transition(self) -> None:
        """Each input leads to the state that the table states."""
        for state, row in TABLE.items():
            for name, (_, after) in row.items():
                self.assertEqual(
                    behaviour(*PATHS[state], name),
                    behaviour(*PATHS[after]),
                    f"{name} when {state}",
                )

    def test_inputs_are_all_there(self) -> None:
        """The table has every input that the session has."""
        self.assertEqual({name for name in vars(Session) if not name.startswith("_")}, set(INPUTS))

    @given(st.lists(st.sampled_from(INPUTS), max_size=30))
    def test_any_inputs(self, inputs: list[str]) -> None:
        """Any sequence of inputs does what the table says, step by step."""
        state, expected = "idle", []
        for name in inputs:
            effect, state = TABLE[state][name]
            expected += [effect] if effect else []
        self.assertEqual(effects_of(*inputs), expected)

    def test_stopped_for_good(self) -> None:
        """After the end, no input has an effect, from whatever state it was ended."""
        for path in PATHS.values():
            done = effects_of(*path, "stop")
            self.assertEqual(effects_of(*path, "stop", *INPUTS, *INPUTS), done)
            self.assertEqual(done[-1], "cease")

    def test_sessions_are_independent(self) -> None:
        """Two sessions share nothing."""
        one, two = RecordingEffects(), RecordingEffects()
        new_session(one).start()
        new_session(two).stop()
        self.assertEqual((one.calls, two.calls), (["announce"], ["cease"]))

    def test_answer_within_an_effect(self) -> None:
        """An attempt that fails before it returns is an attempt that failed."""

        class Hasty(RecordingEffects):
            def announce(self) -> None:
                super().announce()
                session.failed()

        effects = Hasty()
        session = new_session(effects)
        session.start()
        self.assertEqual(effects.calls, ["announce", "wait"])
        session.retry()
        self.assertEqual(effects.calls, ["announce", "wait"] * 2)
