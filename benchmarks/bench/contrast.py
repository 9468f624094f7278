"""``contrast.py single|many PLUGINS DEVICES``: the plain plugin, once or for each folder."""

import importlib
import os
import sys
import threading
import types

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def main(how: str, plugins: str, devices: str) -> None:
    """Serve until killed."""
    for name in ("twistdp", "twistdp.kubelet"):
        # It needs only the API's messages from the packages, and must not pay for the rest.
        package = sys.modules[name] = types.ModuleType(name)
        package.__path__ = [os.path.join(ROOT, *name.split("."))]
    plain = importlib.import_module("examples.plain_grpcio")
    if how == "single":
        plain.main(plugins, devices)
        return
    threads = []
    for folder in os.listdir(devices):
        path = os.path.join(devices, folder)
        arguments = (plugins, path, f"plain.example.com/{folder}", f"{folder}.sock")
        threads.append(threading.Thread(target=plain.main, args=arguments))
        threads[-1].start()
    for thread in threads:
        thread.join()  # without its main thread an interpreter takes no more work


if __name__ == "__main__":
    sys.path.insert(0, ROOT)
    main(*sys.argv[1:])
