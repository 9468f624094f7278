"""Whether the plugin lives and is ready, check by check, as Kubernetes' components answer.

See https://kubernetes.io/docs/reference/using-api/health-checks/.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import attrs

from twistdp.web.answers import Answer, text
from twistdp.web.values import Resource, Session, State

LIVEZ, READYZ, HEALTHZ = "livez", "readyz", "healthz"

PROBES: Final = (LIVEZ, READYZ, HEALTHZ)


@attrs.frozen
class Check:
    """One thing that is well, or has a problem."""

    name: str
    problem: str = ""
    """What is wrong, and empty if nothing is."""
    remark: str = ""
    """What else there is to know if nothing is wrong."""


def checks_of(probe: str, state: State) -> Iterator[Check]:
    """The checks of a probe.

    The process lives if it answers, and no session is stuck.  It is ready if every scanner has
    scanned, and every resource is registered with its stream open.  It is also ready if it stands
    by where another plugin serves a resource: an update that surges waits for that, and only then
    ends the other.
    """
    yield Check("ping")
    for resource in state.resources:
        if probe == LIVEZ:
            yield Check(resource.name, _stuck(resource))
        else:
            yield Check(resource.name, resource.session.problem, _remark(resource.session))
    if probe != LIVEZ:
        for scanner in state.scanners:
            unscanned = "" if scanner.scanned else "no scan has ended well yet"
            yield Check(f"scan/{scanner.namespace}", unscanned)


def _stuck(resource: Resource) -> str:
    return "neither registered nor trying to be" if resource.session.standing == "stuck" else ""


def _remark(session: Session) -> str:
    return f"{session.standing}: {session.reason}" if session.standing == "standing by" else ""


def answer(probe: str, found: Iterable[Check], rest: str, query: "dict[str, list[str]]") -> Answer:
    """The answer to ``/readyz?verbose&exclude=NAME``, or with `rest` to ``/readyz/NAME``.

    `found` are the checks of the probe.
    """
    checks = list(found)
    if rest:
        chosen = [check for check in checks if check.name == rest]
        if not chosen:
            return text(f"there is no check {rest!a}\n", 404)
        return _report(probe, chosen, [], verbose="verbose" in query)
    excluded = query.get("exclude", [])
    unknown = [name for name in excluded if name not in {check.name for check in checks}]
    left = [check for check in checks if check.name not in excluded]
    return _report(probe, left, unknown, verbose="verbose" in query)


def _report(probe: str, checks: Sequence[Check], unknown: Sequence[str], verbose: bool) -> Answer:
    failed = any(check.problem for check in checks)
    if not failed and not verbose:
        return text("ok")
    lines = [
        f"[-]{check.name} failed: {check.problem}"
        if check.problem
        else ": ".join(filter(None, (f"[+]{check.name} ok", check.remark)))
        for check in checks
    ]
    if unknown:
        names = ",".join(f"{name!a}" for name in unknown)
        lines.append(f"warn: some health checks cannot be excluded: no matches for {names}")
    lines.append(f"{probe} check {'failed' if failed else 'passed'}")
    return text("\n".join(lines) + "\n", 500 if failed else 200)
