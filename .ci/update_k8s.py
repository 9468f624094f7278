"""Takes over the kubelet's APIs from another version of Kubernetes, and says what changed in them.

    update_k8s.py FROM [VERSION]

FROM is a checkout of Kubernetes or of k8s.io/kubelet, a directory with files named as in protos/,
or a release such as v1.36.0, of which the same files are fetched: versions of an API that are not
here are noticed in a directory only.  Files whose API differs, by descriptors and not by text, are
replaced when all could be read; with VERSION, which a release has by itself, the table in
protos/README.md tells it.  Needs grpcio-tools.  Status 1 when something could not be read, 2 for
arguments that make no sense.
"""

import http.client
import os
import re
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto, FileDescriptorSet
from grpc_tools import protoc

PROTOS = Path(__file__).resolve().parent.parent / "protos"

SOURCES = {
    "deviceplugin_v1beta1.proto": "deviceplugin/v1beta1/api.proto",
    "pluginregistration_v1.proto": "pluginregistration/v1/api.proto",
    "podresources_v1.proto": "podresources/v1/api.proto",
}
"""Our files, and where they are below pkg/apis of k8s.io/kubelet."""

PLACES = ("staging/src/k8s.io/kubelet/pkg/apis", "pkg/apis", "")
"""Where these directories are in FROM."""

RELEASES = "https://raw.githubusercontent.com/kubernetes/kubernetes"
"""Where each release is a directory."""

FOR_GO = (
    r'import\s+"[^"]*gogo[^"]*"\s*;',
    r"option\s+(\(gogoproto\.\w+\)|go_package)\s*=\s*[^;]+;",
    r"\s*\[\s*\(gogoproto\.[^\]]*\]",
)
"""What only generators of Go code read; its imports could not be resolved here."""


def apis(directory: Path) -> Iterator[Path]:
    """The directories that may have the APIs."""
    return (directory / place for place in PLACES if (directory / place).is_dir())


def source_of(name: str, directory: Path) -> Path | None:
    """The file in FROM that is `name` here."""
    for root in apis(directory):
        for path in (root / SOURCES[name], root / name):
            if path.is_file():
                return path
    return None


def unknown(directory: Path) -> list[str]:
    """Versions of an API that we have none of: a kubelet may be about to prefer them."""
    known = {source.split("/")[0] for source in SOURCES.values()}
    found = {str(p.relative_to(root)) for root in apis(directory) for p in root.glob("*/*/*.proto")}
    return sorted(n for n in found - set(SOURCES.values()) if n.split("/")[0] in known)


def fetched(release: str, into: Path, releases: str = RELEASES) -> Path:
    """A directory with the files of a release; raises OSError for what cannot be had."""
    for name, origin in SOURCES.items():
        url = f"{releases}/{release}/{PLACES[0]}/{origin}"
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - a constant
                (into / name).write_bytes(answer.read())
        except (OSError, http.client.HTTPException) as error:
            raise OSError(f"{url}: {error}; name a checkout instead") from error
    return into


def transcribed(text: str) -> str:
    """A .proto file without what is for Go."""
    for pattern in FOR_GO:
        text = re.sub(pattern, "", text)
    return re.sub(r"\n{3,}", "\n\n", text)


def described(text: str) -> FileDescriptorProto:
    """The descriptor of a .proto file; raises ValueError when it does not compile."""
    with tempfile.TemporaryDirectory() as directory:
        source, compiled = os.path.join(directory, "api.proto"), os.path.join(directory, "set")
        Path(source).write_text(text, encoding="utf-8")
        if protoc.main(["protoc", f"-I{directory}", f"--descriptor_set_out={compiled}", source]):
            raise ValueError("protoc does not take it")
        return FileDescriptorSet.FromString(Path(compiled).read_bytes()).file[0]


def entries(file: FileDescriptorProto) -> dict[str, str]:
    """What is on the wire: each message, field, value and method, with what it is."""

    def of_message(message: DescriptorProto, prefix: str) -> Iterator[tuple[str, str]]:
        name = prefix + message.name
        yield f"message {name}", ""
        for field in message.field:
            kind = field.type_name.lstrip(".") or field.Type.Name(field.type)[5:].lower()
            label = field.Label.Name(field.label)[6:].lower()
            old = " deprecated" if field.options.deprecated else ""
            yield f"field {name}.{field.name}", f"{label} {kind} = {field.number}{old}"
        for inner in message.nested_type:
            yield from of_message(inner, name + ".")
        for enum in message.enum_type:
            yield from ((f"value {name}.{enum.name}.{v.name}", str(v.number)) for v in enum.value)

    found = {"package": file.package}
    for message in file.message_type:
        found.update(of_message(message, ""))
    for enum in file.enum_type:
        found.update((f"value {enum.name}.{value.name}", str(value.number)) for value in enum.value)
    for service in file.service:
        for method in service.method:
            way = ("stream " * method.client_streaming, "stream " * method.server_streaming)
            taken, given = (t.rpartition(".")[2] for t in (method.input_type, method.output_type))
            found[f"method {service.name}.{method.name}"] = f"{way[0]}{taken} -> {way[1]}{given}"
    return found


def changes(old: dict[str, str], new: dict[str, str]) -> Iterator[str]:
    """A line for each difference; what old kubelets or new ones would not take is breaking."""
    for name in sorted(old.keys() | new.keys()):
        if name not in old:
            yield f"added    {name} {new[name]}".rstrip()
        elif name not in new:
            yield f"removed  {name} {old[name]}".rstrip() + "  (breaking)"
        elif old[name] != new[name]:
            only_old = new[name] == f"{old[name]} deprecated"
            yield f"changed  {name}: {old[name]} -> {new[name]}" + "  (breaking)" * (not only_old)


def update(directory: Path, version: str, protos: Path = PROTOS) -> int:
    """Compare, tell, and replace what differs, unless one cannot be read; the exit status."""
    texts: dict[Path, str] = {}
    status = 0
    table = protos / "README.md"
    rows = table.read_text("utf-8")
    for name, origin in SOURCES.items():
        path = source_of(name, directory)
        if path is None:
            print(f"{name}: neither {origin} nor a file of that name is in {directory}")
            status = 1
            continue
        try:
            text = transcribed(path.read_text(encoding="utf-8"))
            new = entries(described(text))
        except (OSError, ValueError) as error:
            print(f"{name}: {path}: {error}")
            status = 1
            continue
        lines = list(changes(entries(described((protos / name).read_text("utf-8"))), new))
        print(f"{name}: " + (f"{len(lines)} changes" if lines else "the API is the same"))
        for line in lines:
            print(f"  {line}")
        if lines:
            texts[protos / name] = text
        if version:
            row = rf"(?m)^(\| `{re.escape(name)}` .*\| Kubernetes )[\d.]+ \|$"
            rows = re.sub(row, rf"\g<1>{version} |", rows)
    for name in unknown(directory):
        print(f"not here: {name}, another version of an API that is")
    if status:
        print("nothing is replaced")
        return status
    for path, text in {**texts, table: rows}.items():
        path.write_text(text, encoding="utf-8")
    return 0


def main(source: str = "", version: str = "", releases: str = RELEASES) -> int:
    """Take a release or a directory; returns the exit status."""
    if not source:
        print("usage: make update-k8s FROM=DIR [VERSION=1.37], or FROM=v1.37.0")
        return 2
    if version and not re.fullmatch(r"\d+\.\d+", version):
        print(f"update-k8s: VERSION={version}: not a version such as 1.37")
        return 2
    if os.path.isdir(source):
        return update(Path(source), version)
    release = re.fullmatch(r"v(\d+\.\d+)\.\d+[\w.+-]*", source)
    if not release:
        print(f"update-k8s: FROM={source}: neither a directory nor a release such as v1.37.0")
        return 2
    with tempfile.TemporaryDirectory() as directory:
        try:
            fetched(source, Path(directory), releases)
        except OSError as error:
            print(f"update-k8s: {error}")
            return 1
        status = update(Path(directory), version or release[1])
    print("only these files are fetched: with a checkout, versions that are not here are told too")
    return status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
