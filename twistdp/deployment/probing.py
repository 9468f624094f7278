"""How Kubernetes asks a plugin whether it lives and is ready."""

from typing import Any, Final

from twistdp.settings import RUN_DIRECTORY

_PROGRAM: Final = f"""\
import glob, socket, sys
answers = []
for path in glob.glob("{RUN_DIRECTORY}/*.sock"):
    peer = socket.socket(socket.AF_UNIX)
    peer.settimeout(4)
    try:
        peer.connect(path)
    except OSError:
        continue  # of a plugin that has ended
    peer.sendall(b"GET /" + sys.argv[1].encode() + b" HTTP/1.0\\r\\n\\r\\n")
    answers.append(b"".join(iter(lambda: peer.recv(65536), b"")))
print(b"\\n".join(answer.partition(b"\\r\\n\\r\\n")[2] for answer in answers).decode())
needed = len(sys.argv[2:])
sys.exit(len(answers) < needed or not all(b" 200 " in answer[:13] for answer in answers))
"""
"""Asks at the unix socket.  A plugin that could not make that is not ready, but may live."""


def probes(port: int | None) -> dict[str, Any]:
    """The container's probes: over HTTP if the plugin listens at `port`, or else at its socket.

    A program in the container needs no network, and costs 20 ms of a processor each time.
    """
    return {
        # A plugin that hangs for a minute and a half is started again.
        "livenessProbe": {**_asks("livez", port), "periodSeconds": 30, **_PATIENCE},
        # A roll-out waits for each node.
        "readinessProbe": {**_asks("readyz", port), "periodSeconds": 10, **_PATIENCE},
    }


_PATIENCE: Final = {"timeoutSeconds": 5, "failureThreshold": 3}


def _asks(what: str, port: int | None) -> dict[str, Any]:
    if port is not None:
        return {"httpGet": {"path": f"/{what}", "port": port}}
    answers = ["needed"] if what == "readyz" else []
    return {"exec": {"command": ["python3", "-IS", "-c", _PROGRAM, what, *answers]}}
