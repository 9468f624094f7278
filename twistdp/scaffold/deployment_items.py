"""Looks at what runs a plugin: its image, its manifests, and their privileges."""

import posixpath
import re

from twistdp.scaffold.tree import IMAGES, KUSTOMIZATIONS, LookResult, Tree, uncommented


def image(tree: Tree) -> LookResult:
    """A Dockerfile that starts twistd or a program of the project."""
    problem = ""
    for path, text in tree.named(*IMAGES).items():
        base = re.search(r"^FROM ", text, re.MULTILINE)
        if not base or not re.search(r"^(ENTRYPOINT|CMD) ", text[base.end() :], re.MULTILINE):
            continue
        program = _program(text)
        if program is None or _is_own(tree, path, program):
            return True, path
        problem = problem or (
            f"{path} starts {program}, which is neither twistd nor named elsewhere in the project"
        )
    return False, problem


def _program(dockerfile: str) -> str | None:
    """The name of the program that an image starts; None if its base or a variable decides."""
    starts = re.findall(
        r"^(ENTRYPOINT|CMD) +\[?[ \"']*(?:exec +)?([^\s\[\]\"',]+)", dockerfile, re.MULTILINE
    )
    entries = [word for instruction, word in starts if instruction == "ENTRYPOINT"]
    commands = [word for _, word in starts]
    program = posixpath.basename((entries or commands or [""])[-1])
    return program if re.match(r"\w", program) else None


def _is_own(tree: Tree, path: str, program: str) -> bool:
    # A program that starts another one may start anything, and a plugin may have a program of its
    # own: then a file, a setting or another line of the Dockerfile has its name.
    if re.fullmatch(r"twistd?|twistdp|python[\d.]*|\w*sh|env|tini|dumb-init", program):
        return True
    rest = re.sub(r"(?m)^(FROM|ENTRYPOINT|CMD)\b.*", "", uncommented(tree.texts[path]))
    places = [*tree.texts, rest, *(text for name, text in tree.texts.items() if name != path)]
    word = re.compile(rf"(?<![\w-]){re.escape(program)}(?![\w-])")
    return any(word.search(place) for place in places)


def manifests(tree: Tree) -> LookResult:
    """A kustomization that names existing files, and a DaemonSet."""
    kustomizations = tree.named(*KUSTOMIZATIONS)
    for path, text in kustomizations.items():
        entries = _entries(uncommented(text))
        if entries is None:
            return False, f"{path} has resources that cannot be read as a list of files"
        for entry in entries:
            place = posixpath.normpath(posixpath.join(posixpath.dirname(path), entry))
            names = (place, *(posixpath.join(place, name) for name in KUSTOMIZATIONS))
            if not _is_remote(entry) and not any(name in tree.texts for name in names):
                return False, f"{path} names {entry}, which is missing or empty"
    workload = _workload(tree)
    if not kustomizations or not workload:
        return False, ""
    if "/var/lib/kubelet" not in tree.texts[workload]:
        return False, f"the DaemonSet in {workload} does not mount the kubelet's directory"
    return True, f"{next(iter(kustomizations))}, {workload}"


def _entries(kustomization: str) -> list[str] | None:
    """The files and directories that it names; None if they are not written as a list."""
    files = r"^\s*-\s+[\"']?([^\s:\"']+\.ya?ml)[\"']?\s*$"
    entries: list[str] = re.findall(files, kustomization, re.MULTILINE)
    for value in re.findall(
        r"^(?:resources|bases|components):(.*(?:\n(?:(?!---)[ \t\]-].*)?)*)",
        kustomization,
        re.MULTILINE,
    ):
        flow = re.fullmatch(r"\s*\[([^\]]*)\]\s*", value)
        words = flow[1].split(",") if flow else value.splitlines()
        for word in filter(None, map(str.strip, words)):
            if not flow and not word.startswith("- "):
                return None
            entries.append(word.removeprefix("- ").strip(" \"'"))
    return entries


def _is_remote(entry: str) -> bool:
    return re.match(r"[\w.-]+\.[a-z]{2,}/|.*(//|@|\?)", entry) is not None


def _workload(tree: Tree) -> str | None:
    return tree.with_text(r"^kind:\s*DaemonSet\s*$", "*.yaml", "*.yml")


def privileges(tree: Tree) -> LookResult:
    """A DaemonSet that asks for no privilege."""
    workload = _workload(tree)
    if workload is None:
        return False, ""
    text = uncommented(tree.texts[workload])
    lacking = [
        words
        for words, expression in {
            "allowPrivilegeEscalation: false": r"^\s*allowPrivilegeEscalation:\s*false",
            "readOnlyRootFilesystem: true": r"^\s*readOnlyRootFilesystem:\s*true",
            "capabilities: drop: [ALL]": r"^\s*drop:\s*(\[\s*\"?ALL\"?\s*\]|\n\s*-\s*\"?ALL\b)",
            "seccompProfile: type: RuntimeDefault": r"^\s*type:\s*RuntimeDefault",
        }.items()
        if not re.search(expression, text, re.MULTILINE)
    ]
    if granted := re.search(r"\b(privileged|hostNetwork|hostPID|hostIPC):\s*true\b", text):
        return False, f"{workload} has {granted[1]}: true"
    if added := re.search(r"\badd:\s*(?:\[\s*|-\s*)[\"']?(\w+)", text):
        return False, f"{workload} adds the capability {added[1]}"
    if lacking:
        return False, f"{workload} lacks {', '.join(lacking)}"
    return True, workload
