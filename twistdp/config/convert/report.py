"""The result of a conversion, what could not be carried over, and what is wrong with a file."""

from typing import Any, Final

import attrs
import yaml

from twistdp.config.document import Mark
from twistdp.config.loading import load
from twistdp.config.problems import BadConfig, Problem, Problems
from twistdp.errors import BadSetting
from twistdp.model import one_line

_LINE: Final = 80
"""Characters of a list or mapping that stands in one line."""


@attrs.frozen
class Converted:
    """A configuration of ours; `notes` are what changed or is lost, in the order of the file."""

    text: str
    resources: int
    notes: tuple[Problem, ...]


@attrs.frozen
class Draft:
    """A resource as our file has it, and where the foreign file describes it."""

    domain: str
    name: str
    body: dict[str, Any]
    mark: Mark
    at: str

    @property
    def full_name(self) -> str:
        """The name with its domain."""
        return f"{self.domain}/{self.name}"


class Report:
    """The problems and notes of one file, as they are found, and the resources made of it."""

    def __init__(self, file: str) -> None:
        self.problems = Problems(file)
        self.drafts: dict[str, Draft] = {}
        self.settings: dict[str, Any] = {}
        """Further keys of the whole file."""
        self._notes: dict[Problem, None] = {}
        self._shares = False

    def problem(self, mark: Mark, at: str, text: str) -> None:
        """Something is wrong with the file, which is refused therefore."""
        self.problems.note(mark.line, mark.column, at, text)

    def note(self, mark: Mark, at: str, text: str) -> None:
        """Something means another thing now, or is not carried over; each is noted once."""
        found = Problem(self.problems.file, mark.line, mark.column, at, one_line(text))
        self._notes[found] = None

    def add(self, draft: Draft, allow_again: bool = False) -> None:
        """Add a resource; one whose name is taken is a problem, or with `allow_again` noted."""
        first = self.drafts.setdefault(draft.full_name, draft)
        if first is draft:
            self._note_sharing(draft)
            return
        text = f"the resource {draft.full_name} is there already, from line {first.mark.line}"
        if allow_again:
            self.note(draft.mark, draft.at, f"{text}; the first one counts")
        else:
            rest = "give each resource a name of its own"
            if draft.at.partition("[")[0] != first.at.partition("[")[0]:
                rest += ", or choose one file of a ConfigMap with --key"
            self.problem(draft.mark, draft.at, f"{text}; {rest}")

    def _note_sharing(self, draft: Draft) -> None:
        """Note once what changes for containers that ask for several replicas."""
        if isinstance(draft.body.get("replicas"), int) and not self._shares:
            self._shares = True
            text = (
                "a container that asks for more than one replica of a device is refused here; if "
                f"that is meant, write replicas: {{count: {draft.body['replicas']}, "
                "morePerContainer: true}"
            )
            self.note(draft.mark, draft.at, text)

    def finish(self) -> Converted:
        """The configuration.

        Raises `BadConfig` with all problems, among them what our format refuses.
        """
        for draft in self.drafts.values():
            self._check(draft)
        if not self.drafts and not self.problems.found:
            self.problem(Mark(1, 1), "", _nothing(list(self._notes)))
        if self.problems.found:
            raise BadConfig(self.problems.found)
        text = _written(list(self.drafts.values()), self.settings)
        try:
            load(text)
        except BadConfig as error:
            raise BadSetting(
                f"{self.problems.file}: what it is converted to is no configuration: {error}"
            ) from error
        return Converted(text, len(self.drafts), self.notes)

    @property
    def notes(self) -> tuple[Problem, ...]:
        """What was noted, in the order of the file."""
        return tuple(sorted(self._notes, key=lambda each: (each.line, each.column)))

    def _check(self, draft: Draft) -> None:
        try:
            load(_written([draft], {}))
        except BadConfig as error:
            for each in error.problems:
                self.problem(draft.mark, draft.at, f"{draft.full_name}: {each.text}")


def _nothing(notes: list[Problem]) -> str:
    if notes:
        return f"no resource can be converted: {notes[0].text}"
    return "the file describes no resource"


class _Long(list[Any]):
    """A list that gets a line for each item."""


class _Short(dict[str, Any]):
    """A mapping that stands in one line."""


class _Tall(dict[str, Any]):
    """A mapping that gets a line for each key."""


class _Dumper(yaml.SafeDumper):
    """Writes lists and mappings of texts in one line, and repeats values without aliases."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True

    def represent_long(self, items: _Long) -> Any:
        return self.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=False)

    def represent_short(self, items: _Short) -> Any:
        return self.represent_mapping("tag:yaml.org,2002:map", items, flow_style=True)

    def represent_tall(self, items: _Tall) -> Any:
        return self.represent_mapping("tag:yaml.org,2002:map", items, flow_style=False)


_Dumper.add_representer(_Long, _Dumper.represent_long)
_Dumper.add_representer(_Short, _Dumper.represent_short)
_Dumper.add_representer(_Tall, _Dumper.represent_tall)


def _laid_out(value: Any) -> Any:
    """A value, with its long lists and its short mappings marked as such."""
    if isinstance(value, dict):
        if len(str(value)) <= _LINE:
            return _Short(value)
        return _Tall((key, _laid_out(each)) for key, each in value.items())
    if isinstance(value, list):
        items = [_laid_out(each) for each in value]
        return _Long(items) if len(str(items)) > _LINE else items
    return value


def _written(drafts: list[Draft], settings: dict[str, Any]) -> str:
    domain = drafts[0].domain
    resources = {}
    for draft in drafts:
        short = set(draft.body) == {"path"}
        name = draft.name if draft.domain == domain else draft.full_name
        resources[name] = _laid_out(draft.body["path"] if short else draft.body)
    whole = {"domain": domain, **settings, "resources": resources}
    text: str = yaml.dump(
        whole,
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=120,
        default_flow_style=None,
    )
    return text
