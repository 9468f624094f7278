"""Fills in template files."""

import string
from collections.abc import Mapping
from importlib.resources import files


class Text(string.Template):
    """A template in which ``%%{name}`` is replaced; ``$`` is for make and shells."""

    delimiter = "%%"


def filled(package: str, name: str, words: Mapping[str, str]) -> str:
    """The template ``template/NAME.in`` of a package with `words` put in.

    Raises KeyError for a word of the template that is not among them.
    """
    template = files(package).joinpath("template", f"{name}.in")
    return Text(template.read_text(encoding="utf-8")).substitute(words)
