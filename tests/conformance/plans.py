"""Plans for the plugins that the suite is tested with."""

import sys
from pathlib import Path

import attrs

from twistdp.conformance.plan import Plan

ROOT = str(Path(__file__).parents[2])


def plan_for(name: str, registry: bool = False, patience: float = 4.0) -> Plan:
    """How to run the plugin with a bug, or with ``none``."""
    place = "{registry_dir}" if registry else ""
    start = (
        f"touch {{work_dir}}/a {{work_dir}}/b {{work_dir}}/c; cd {ROOT}; exec {sys.executable} "
        f"-m tests.conformance.bugs {name} {{plugin_dir}} {{work_dir}} {place}"
    )
    return _plan(start, patience)


def late_plan(patience: float = 4.0) -> Plan:
    """How to run `tests.conformance.late`."""
    return _plan(
        f"touch {{work_dir}}/a {{work_dir}}/b {{work_dir}}/c; cd {ROOT}; exec {sys.executable} "
        "-m tests.conformance.late {plugin_dir} {work_dir}",
        patience,
    )


def plain_plan(patience: float = 12.0) -> Plan:
    """How to run ``examples/plain_grpcio.py``, to which each name is a healthy device."""
    plan = _plan(
        f"touch {{work_dir}}/a {{work_dir}}/b {{work_dir}}/c; cd {ROOT}; exec {sys.executable} "
        "examples/plain_grpcio.py {plugin_dir} {work_dir}",
        patience,
    )
    return attrs.evolve(plan, sicken=None, heal=None, namesake=None, namesake_gone=None)


def own_plan(
    registration: str,
    scanner: str = "HookedScanner --preferred=packed",
    *,
    namespace: str = "check.example.com",
) -> Plan:
    """How to run our own plugin, registered in one of the two ways.

    The usual scanner announces all that can be announced; see `tests.conformance.scanner`.
    """
    return _plan(
        f"touch {{work_dir}}/a {{work_dir}}/b {{work_dir}}/c; cd {ROOT}; exec {sys.executable} "
        "-c 'from twisted.scripts.twistd import run; run()' -n --pidfile= deviceplugin "
        f"--scanner=tests.conformance.scanner:{scanner} --set directory={{work_dir}} "
        f"--status-socket= --plugin-dir={{plugin_dir}} --registration={registration} "
        f"--namespace={namespace} "
        + ("--registry-dir={registry_dir}" if registration == "watcher" else "")
    )


def glob_plan(links_only: bool) -> Plan:
    """How to run our scanner of patterns on files, and links to them that come late.

    The pattern matches the files themselves too, unless there are `links_only`.
    """
    pattern = "{work_dir}/by-id/*" + ("" if links_only else ",{work_dir}/[0-9]/*")
    plug = "touch {work_dir}/1/%s && ln -s ../1/%s {work_dir}/by-id/%s"
    plan = _plan(
        "mkdir {work_dir}/1 {work_dir}/by-id; "
        + "; ".join(plug % (name, name, name) for name in "abc")
        + f"; cd {ROOT}; exec {sys.executable} "
        "-c 'from twisted.scripts.twistd import run; run()' -n --pidfile= deviceplugin "
        "--scanner=twistdp.scanners:GlobScanner --namespace=check.example.com "
        f"--set=resource=thing --set=nodes_only=false '--set=pattern={pattern}' "
        "--status-socket= --plugin-dir={plugin_dir}"
    )
    namesake = "mkdir {work_dir}/2 && touch {work_dir}/2/a"
    return attrs.evolve(
        plan,
        add=plug % ("d", "d", "d"),
        remove="rm {work_dir}/by-id/d {work_dir}/1/d",
        sicken=None,
        heal=None,
        namesake=namesake + (" && ln -s ../2/a {work_dir}/by-id/2-a" if links_only else ""),
        namesake_gone="rm -r {work_dir}/2 && rm -f {work_dir}/by-id/2-a",
        alias="ln -s ../1/a {work_dir}/by-id/0",
        alias_gone="rm {work_dir}/by-id/0",
    )


def _plan(start: str, patience: float = 15.0) -> Plan:
    # Some hundred processes, which measuring would make slow to start.
    start = f"unset COVERAGE_PROCESS_START COVERAGE_PROCESS_CONFIG; {start}"
    return Plan(
        ("sh", "-c", start),
        add="touch {work_dir}/d",
        remove="rm -f {work_dir}/d",
        sicken="echo ill > {work_dir}/b",
        heal="echo > {work_dir}/b",
        namesake="mkdir -p {work_dir}/x && touch {work_dir}/x/a",
        namesake_gone="rm -rf {work_dir}/x",
        alias="ln -s a {work_dir}/z",
        alias_gone="rm -f {work_dir}/z",
        patience=patience,
        startup=20.0,
        restarts=30,
    )
