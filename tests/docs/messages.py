"""Reads from the source what the service can log at verbosity 0."""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import twistdp

SOURCE = Path(twistdp.__file__).parent

NOT_THE_SERVICE = {"cli", "conformance", "doctor", "scaffold", "testing"}
"""Packages that log nothing: they belong to commands."""

LEVELS = {
    "info": "I",
    "composed": "I",
    "warn": "W",
    "warning": "W",
    "error": "E",
    "failure": "E",
    "failuresHandled": "E",
    "critical": "E",
    "fatal": "F",
}
"""The severity of what the methods of a Logger, and the functions of `twistdp.klog`, log."""

SAYING = {
    "warn_once": "W",
    "report": "W",
    "_warn": "W",
    "_inform": "I",
    "report_unless_cancelled": "E",
}
"""Functions of ours that log a text that they are given."""

ERRORS = {
    "KubeletAbsent": "W",
    "OSError": "W",
    "RegistrationRefused": "W",
    "SocketTaken": "W",
    "SpecNotWritten": "E",
    "StillServed": "W",
    "Untrusted": "W",
}
"""Errors whose texts are logged as they are."""

PASSED_ON = {
    "cdi/complaints.py",
    "cdi/service.py",
    "kubelet/news.py",
    "rpc/server.py",
    "scanners/globbing.py",
}
"""Modules with a call whose whole text is a variable: one of those above."""


class Message(NamedTuple):
    """One message."""

    level: str
    """``I``, ``W``, ``E`` or ``F``."""
    text: str
    """With … for what varies."""


def messages() -> Iterator[Message]:
    """All messages of the service."""
    texts = dict(_own_texts())
    for path in sorted(SOURCE.rglob("*.py")):
        where = path.relative_to(SOURCE)
        if where.parts[0] in NOT_THE_SERVICE or where.name.endswith("_pb2.py"):
            continue
        module = ast.parse(path.read_text(encoding="utf-8"))
        for message in _in(module, texts):
            # It may be that all of a message varies, as of "lab.example.com/lamp: 3 devices".
            if re.search("[a-z]", message.text) or str(where) not in PASSED_ON:
                yield message


def _in(module: ast.Module, texts: Mapping[str, "OwnText"]) -> Iterator[Message]:
    """The messages of a module."""
    constants = _assigned(module)
    for scope in ast.walk(module):
        if isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef):
            names = {**constants, **_assigned(scope)}
            for node in ast.walk(scope):
                if isinstance(node, ast.Call):
                    yield from _of(node, names, texts)
        elif isinstance(scope, ast.ClassDef):
            yield from _inherited(scope, constants, texts)


def _of(
    call: ast.Call, names: Mapping[str, ast.expr], texts: Mapping[str, "OwnText"]
) -> Iterator[Message]:
    """Yield what a call logs, or the message of the error that it creates."""
    function, arguments = call.func, [template(argument, names) for argument in call.args]
    if isinstance(function, ast.Attribute):
        name, of = function.attr, function.value
    else:
        name, of = getattr(function, "id", ""), None
    if isinstance(of, ast.Name) and of.id in ("_log", "klog") and name in LEVELS:
        yield Message(LEVELS[name], arguments[0])
        if not re.search("[a-z]", arguments[0]):  # a keyword may hold the text
            parts = [template(keyword.value, names) for keyword in call.keywords]
            yield from (Message(LEVELS[name], text) for text in parts if " " in text)
    elif name == "Record" and arguments[0] in ("I", "W", "E", "F"):
        yield Message(arguments[0], arguments[6])
    elif name in SAYING:
        yield from (Message(SAYING[name], text) for text in arguments if " " in text)
    elif name == "addErrback" and (called := getattr(call.args[0], "id", "")) in SAYING:
        yield Message(SAYING[called], arguments[1])
    elif name in texts:
        yield Message(ERRORS[name], texts[name].filled(arguments))
    elif name in ERRORS:
        yield from (Message(ERRORS[name], text) for text in arguments if " " in text)


class OwnText(NamedTuple):
    """The text that an error's class makes of its arguments."""

    parameters: list[str]
    parts: list[str | ast.expr]

    def filled(self, arguments: list[str]) -> str:
        """The text with these arguments."""
        given = dict(zip(self.parameters, arguments, strict=False))
        parts = [
            part if isinstance(part, str) else given.get(getattr(part, "id", ""), "…")
            for part in self.parts
        ]
        return _collapsed("".join(parts))


def _own_texts() -> Iterator[tuple[str, OwnText]]:
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and node.name in ERRORS:
                for call in _calls_of_base(node):
                    text = call.args[0]
                    if isinstance(text, ast.JoinedStr):
                        yield node.name, OwnText(_parameters(node), _parts(text))


def _inherited(
    node: ast.ClassDef, names: Mapping[str, ast.expr], texts: Mapping[str, OwnText]
) -> Iterator[Message]:
    """The messages of a class that is such an error of a special kind."""
    for base in node.bases:
        if isinstance(base, ast.Name) and base.id in texts:
            for call in _calls_of_base(node):
                arguments = [template(argument, names) for argument in call.args]
                yield Message(ERRORS[base.id], texts[base.id].filled(arguments))


def _calls_of_base(node: ast.ClassDef) -> Iterator[ast.Call]:
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "super().__init__":
            yield call


def _parameters(node: ast.ClassDef) -> list[str]:
    for method in node.body:
        if isinstance(method, ast.FunctionDef) and method.name == "__init__":
            return [argument.arg for argument in method.args.args[1:]]
    return []


def _assigned(scope: ast.AST) -> dict[str, ast.expr]:
    """Return the values that a scope assigns to names."""
    nodes = ast.iter_child_nodes(scope) if isinstance(scope, ast.Module) else ast.walk(scope)
    return {
        target.id: node.value
        for node in nodes
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def template(node: ast.expr, names: Mapping[str, ast.expr]) -> str:
    """A text with … for what varies in it."""
    if isinstance(node, ast.Constant):
        text = re.sub(r"\{\w*(:[^}]*)?\}", "…", str(node.value))
    elif isinstance(node, ast.JoinedStr):
        text = "".join(part if isinstance(part, str) else "…" for part in _parts(node))
    elif isinstance(node, ast.Name) and node.id in names:
        others = {name: value for name, value in names.items() if name != node.id}
        text = template(names[node.id], others)
    elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "format":
        assert isinstance(node.func, ast.Attribute)
        text = template(node.func.value, names)
    else:
        text = "…"
    return _collapsed(text)


def _parts(text: ast.JoinedStr) -> list[str | ast.expr]:
    return [
        part.value if isinstance(part, ast.FormattedValue) else str(ast.literal_eval(part))
        for part in text.values
    ]


def _collapsed(text: str) -> str:
    return re.sub("…+", "…", " ".join(text.split()))
