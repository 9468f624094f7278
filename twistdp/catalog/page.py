"""The page of the documentation that lists the catalogue, made from its entries."""

import re
from collections.abc import Iterator
from typing import Final

from twistdp.catalog.entry import Entry
from twistdp.catalog.shelf import Shelf

_HEAD: Final = """\
# Catalogue

These devices need no configuration of your own. This page is made from the entries by
`make config-reference`; `twistdp catalog` lists them, and `twistdp catalog NAME` prints one.

Serve entries as they are:

    twistd -n --pidfile= deviceplugin --catalog=kvm,fuse --namespace=lab.example.com

A pod then asks for `lab.example.com/kvm: 1`. An entry that has a domain of its own is served in it
unless `--namespace` names another, so pods that use the vendor's plugin need no change.

Or build on an entry in a [configuration file](config-reference.md). Every key beside `use` replaces
that key of the entry, and conditions that the entry does not have are added. So is `not`: what the
entry leaves out, such as a physical function that has virtual ones, stays left out.

```yaml
domain: lab.example.com
resources:
  kvm:     {use: kvm, replicas: 4}
  modem:   {use: tty-usb, usb: "0403:6001", node: /dev/modem}
  intel:   {use: intel-gpu, replicas: 2}
  scratch: {use: nvme, modelName: "SAMSUNG MZQL2*"}
```

`twistdp config show FILE` prints what such a file amounts to. `twistdp scan --catalog=NAME` prints
what an entry finds on this machine, and `twistdp explain --catalog=NAME` why something is missing.

On Kubernetes, this prints the DaemonSet:

    twistdp manifests -- --catalog=kvm,camera --namespace=lab.example.com

It mounts `/dev` and `/run/udev`: udev's data base says which of a camera's nodes are for metadata,
what is a keyboard or a FIDO key, and which link belongs to which device.
"""


def page() -> str:
    """The page in Markdown."""
    shelf = Shelf()
    parts = [_HEAD]
    for name in shelf.entries:
        parts.append("\n".join(_section(name, shelf.entry(name))))
    return "\n".join(parts)


def _section(name: str, entry: Entry) -> Iterator[str]:
    yield f"## `{name}`"
    yield ""
    yield f"{_plain(entry.title)}. {_plain(entry.description)}"
    yield ""
    if entry.domain is not None:
        kinds = ("...",) if entry.scanner is not None else entry.resources or (name,)
        resources = ", ".join(f"`{entry.domain}/{kind}`" for kind in kinds)
        yield f"`--catalog={name}` serves {resources}."
        yield ""
    if entry.needs:
        keys = ", ".join(f"`{key}`" for key in entry.needs)
        yield f"It cannot be served as it is: use it in a file, with one of {keys}."
        yield ""
    for head, texts in (("`--set`", entry.arguments), ("key", entry.options)):
        if texts:
            yield f"| {head} | |"
            yield "|---|---|"
            for key, text in texts.items():
                yield f"| `{key}` | {_plain(text)} |"
            yield ""


def _plain(text: str) -> str:
    """A text that Markdown takes as it is, but for code between backticks."""
    return re.sub(r"([*|<\[\]])", r"\\\1", " ".join(text.split()))
