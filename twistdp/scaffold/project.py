"""Makes a project by filling names into template files."""

import keyword
import os
import re
import sys
from collections.abc import Iterator
from importlib.machinery import PathFinder

import attrs
from incremental import Version

from twistdp._version import __version__
from twistdp.deployment import (
    DaemonSet,
    dockerfile,
    filled,
    render_manifests,
    render_unit,
    requirements,
    sample_pod,
)
from twistdp.errors import BadName, BadSetting, Untrusted
from twistdp.host import make_directory
from twistdp.model import check_namespace, check_resource_type

FILES = {
    "{package}/__init__.py": "init.py",
    "{package}/scanner.py": "scanner.py",
    "{package}/py.typed": "",
    "tests/__init__.py": "tests_init.py",
    "tests/test_scanner.py": "test_scanner.py",
    "e2e/__init__.py": "e2e_init.py",
    "e2e/test_cluster.py": "test_cluster.py",
    "demo.py": "demo.py",
    "deploy/kustomize/kustomization.yaml": "kustomization.yaml",
    ".dockerignore": "dockerignore",
    ".github/workflows/ci.yaml": "ci.yaml",
    ".gitignore": "gitignore",
    "Makefile": "Makefile",
    "pyproject.toml": "pyproject.toml",
    "README.md": "README.md",
}
"""The files of a project, with the template of each; empty files have none."""

HOOKS = {
    "{package}/hooks.py": "hooks.py",
    "tests/test_hooks.py": "test_hooks.py",
}
"""Additional files of a project with hooks."""

_OF_YAML = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}
"""Words that mean something else in the templates that are YAML."""

_NAME = re.compile(r"[a-z]([a-z0-9_]*[a-z0-9])?")
_MAX_NAME = 30  # so that import lines, labels and unit names stay short enough
_TAKEN = {
    # Other names in the project, and names that setuptools looks for.
    *(
        "test",
        "tests",
        "e2e",
        "demo",
        "deploy",
        "kustomization",
        "build",
        "dist",
        "requirements",
        "wheels",
        "setup",
    ),
    # The packages of a project's environment, by import name and by pip's name: Python would import
    # the project instead, and pip would mistake it for them.
    *(
        "twistdp",
        "twisted",
        "yaml",
        "pyyaml",
        "attr",
        "attrs",
        "automat",
        "constantly",
        "google",
        "grpc",
        "grpcio",
        "markdown_it_py",
    ),
    *("hyperlink", "idna", "incremental", "packaging", "protobuf", "pyinotify", "zope"),
    *("pyyaml", "yaml"),
    *("asyncore", "pyasyncore", "typing_extensions", "zope_interface", "zope_schema", "zope_stubs"),
    *("ast_serialize", "coverage", "hypothesis", "librt", "mypy", "mypy_extensions", "mypy_zope"),
    *("mypyc", "pathspec", "pip", "pkg_resources", "ruff", "setuptools", "wheel", "zope_event"),
}
"""Refused names.  A test checks that they include all packages of an environment."""


def check_package(name: str) -> str:
    """Return `name` if a plugin's package can have it; raise `BadName` otherwise."""
    doing = f"name {name!r}:"
    if not _NAME.fullmatch(name) or len(name) > _MAX_NAME:
        raise BadName(
            f"{doing} a package's name begins with a lower-case letter, and lower-case letters, "
            f"digits and '_' follow, at most {_MAX_NAME} in all, such as 'thermo'"
        )
    if keyword.iskeyword(name) or keyword.issoftkeyword(name) or name in _OF_YAML:
        raise BadName(f"{doing} it means something else in Python or YAML; use another name")
    if name in _TAKEN or name in sys.stdlib_module_names or _is_installed(name):
        raise BadName(
            f"{doing} another Python package or a part of the project has that name; use another"
        )
    if name == "default" or name.startswith("kube_"):
        raise BadName(
            f"{doing} the project's manifests would change and delete the namespace of that "
            "name, which belongs to Kubernetes; use another name"
        )
    return name


def _is_installed(name: str) -> bool:
    """Whether Python imports something else by that name, from any current directory."""
    here = os.getcwd()
    places = [path for path in sys.path if path and os.path.abspath(path) != here]
    found = PathFinder.find_spec(name, places)
    return (
        found is not None and found.origin is not None
    )  # a directory without modules does not count


@attrs.frozen
class Project:
    """The names in a project.  Raises `BadName` for one that cannot be used.

    By default the namespace is a domain below example.com, and the resource ``device``.  With
    `hooks` the project has an example of each hook, with its test.
    """

    package: str = attrs.field(converter=check_package)
    namespace: str = attrs.field(converter=check_namespace)
    resource: str = attrs.field(default="device", converter=check_resource_type)

    hooks: bool = attrs.field(default=False, kw_only=True)

    @namespace.default
    def _namespace(self) -> str:
        return f"{self.distribution}.example.com"

    @property
    def distribution(self) -> str:
        """Its name for pip, Kubernetes and systemd, without ``_``."""
        return self.package.replace("_", "-")

    @property
    def words(self) -> dict[str, str]:
        """The words for the templates."""
        return {
            "package": self.package,
            "distribution": self.distribution,
            "namespace": self.namespace,
            "resource": self.resource,
            # Device ids begin with it, and have at most 63 characters.
            "prefix": self.resource[:30],
            "versions": compatible_versions(),
            "import_hooks": f"\nfrom {self.package}.hooks import Hooks\n" if self.hooks else "",
            "bases": "Hooks, WatchingScanner" if self.hooks else "WatchingScanner",
            "hooks_too": f"\n`{self.package}/hooks.py` decides about the latter."
            if self.hooks
            else "",
            "variable": re.sub(r"\W", "_", f"{self.resource}_ids").upper(),
        }

    def files(self) -> Iterator[tuple[str, str]]:
        """The path and the text of each file."""
        for path, template in {**FILES, **(HOOKS if self.hooks else {})}.items():
            text = filled("twistdp.scaffold", template, self.words) if template else ""
            yield path.format(**self.words), text
        for name in requirements.OF_A_PROJECT:
            yield f"requirements/{name}.txt", requirements.text(name)
        yield from self._deployment()

    def _deployment(self) -> Iterator[tuple[str, str]]:
        """The files that run it, as twistdp's own files run twistdp."""
        name, resource = self.distribution, f"{self.namespace}/{self.resource}"
        options = [f"--scanner={self.package}.scanner:Scanner"]
        yield (
            "Dockerfile",
            dockerfile(
                name,
                build=f"docker build --tag {name}:dev .",
                requirements="requirements",
                install="--find-links /src/wheels",
                labels={"title": name, "description": f"A Kubernetes device plugin for {resource}"},
                options=options,
            ),
        )
        plugin = DaemonSet(options=options, image=name, name=name, namespace=name)
        yield f"deploy/kustomize/{name}.yaml", render_manifests(plugin)
        devices = f"/dev/{self.words['prefix']}*"
        yield "deploy/pod.yaml", sample_pod(f"{name}-sample", f"{name}:dev", resource, devices)
        yield f"deploy/{name}.service", render_unit(f"/opt/{name}/bin/twistd", options)


def compatible_versions(version: Version = __version__) -> str:
    """The versions of twistdp that a project made with this one works with, for pip."""
    major, minor = int(version.major), int(version.minor)
    most = f"0.{minor + 1}" if major == 0 else str(major + 1)
    return f">={version.public()},<{most}"


def create(project: Project, directory: str) -> list[str]:
    """Write the project's files and return their paths.  Raises `BadSetting` if that fails.

    An existing directory must be empty and belong to the user: nothing is ever overwritten, and no
    link in it is followed.
    """
    try:
        _make(directory)
        if os.listdir(directory):
            raise BadSetting(f"{directory}: it is not empty; name a new or empty one")
        paths = []
        made = {directory}
        for path, text in project.files():
            full = os.path.join(directory, path)
            for above in _between(directory, path):
                if above not in made:
                    os.mkdir(above)  # an entry that somebody else has just made is an error
                    made.add(above)
            with open(full, "x", encoding="utf-8") as file:
                file.write(text)
            paths.append(full)
    except OSError as error:
        raise BadSetting(f"{directory}: the project cannot be written: {error}") from error
    return paths


def _make(directory: str) -> None:
    """Make the project's directory.  Raises `BadSetting` if others could change its contents.

    Root will run what belongs to root, so then all directories above count.  Other users often
    share theirs with a group on purpose.
    """
    remedy = "run this as the owner of the directory, or name another one"
    if os.geteuid() == 0:
        try:
            make_directory(directory)
        except Untrusted as error:
            raise BadSetting(f"{directory}: {error.reason}; {remedy}") from error
        return
    os.makedirs(directory, exist_ok=True)
    if (owner := os.stat(directory).st_uid) != os.geteuid():
        raise BadSetting(f"{directory}: it belongs to user {owner}; {remedy}")


def _between(directory: str, path: str) -> Iterator[str]:
    """The directories on the way from `directory` to the file `path` in it."""
    for name in path.split("/")[:-1]:
        directory = os.path.join(directory, name)
        yield directory
