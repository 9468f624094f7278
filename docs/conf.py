"""How Sphinx makes a site of these pages; see ``make docs``."""

from importlib.metadata import version as installed_version
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList
from zope.interface.interface import Method

import twistdp

project = "twistdp"
copyright = "the authors of twistdp, Apache-2.0"
release = version = installed_version("twistdp")

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build", "requirements.txt"]
html_theme = "furo"
html_title = f"twistdp {release}"

# Headings of the pages are linked to as forges do it.
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence"]
# What a docstring has in single backquotes is code, whatever it names.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "none"
# Bases and the types of defaults are of the standard library, zope and Twisted, whose
# inventories would have to be fetched.
nitpick_ignore_regex = [("py:.*", r"(?!twistdp\.).*")]


class InterfaceDirective(Directive):
    """``.. interface:: INAME``: autodoc takes zope's interfaces for values."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """The interface's docstring, and those of its methods, as a class of its own."""
        interface = getattr(twistdp, self.arguments[0])
        lines = [f".. py:class:: {interface.__name__}", ""]
        lines += indented(interface.__doc__)
        for name, method in interface.namesAndDescriptions():
            signature = method.getSignatureString() if isinstance(method, Method) else ""
            lines += [f"   .. py:method:: {name}{signature}", ""]
            lines += ["   " + line for line in indented(method.__doc__)]
        parent = nodes.Element()
        self.state.nested_parse(StringList(lines, "interface"), self.content_offset, parent)
        return parent.children


def indented(docstring: str | None) -> list[str]:
    """A docstring's lines as the content of a directive."""
    from inspect import cleandoc

    return ["   " + line for line in cleandoc(docstring or "").splitlines()] + [""]


def setup(app: Any) -> None:
    """Sphinx calls this."""
    app.add_directive("interface", InterfaceDirective)
