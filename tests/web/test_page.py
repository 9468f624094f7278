"""Tests of the page's files; ``make test-page`` shows them to a browser."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import ClassVar

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.test_life import ToldScanner, tree_of
from tests.web.test_routes import RoutesCase
from twistdp.status import Kind
from twistdp.web.routes import FILES, PAGE

SCRIPTS = {path.name: path.read_text("utf-8") for path in Path(PAGE).glob("*.js")}
STYLE = Path(PAGE, "style.css").read_text("utf-8")


class Index(HTMLParser):
    """What index.html has."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.inline: list[str] = []
        """Texts of scripts and styles."""
        self._within = ""
        self.feed(Path(PAGE, "index.html").read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep it."""
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        self._within = tag

    def handle_endtag(self, tag: str) -> None:
        """It is over."""
        self._within = ""

    def handle_data(self, data: str) -> None:
        """Keep what a browser would run."""
        if self._within in ("script", "style"):
            self.inline.append(data)


class FileTests(SynchronousTestCase):
    """The files fit together, and a strict policy lets them work."""

    index: ClassVar[Index] = Index()

    def test_nothing_inline(self) -> None:
        """No script, style or handler is in the HTML; none is made from a text."""
        self.assertEqual(self.index.inline, [])
        for _, attributes in self.index.tags:
            self.assertEqual([name for name in attributes if name.startswith(("on", "style"))], [])
        for name, script in SCRIPTS.items():
            self.assertNotRegex(script, r"innerHTML|outerHTML|insertAdjacent|document\.write", name)
            self.assertNotRegex(script, r"\beval\b|new Function|setAttribute\(\"style", name)

    def test_addresses(self) -> None:
        """All are relative, so a prefix does no harm, and lead to files that are there."""
        wanted = [
            attributes[name]
            for tag, attributes in self.index.tags
            for name in ("src", "href")
            if name in attributes and tag != "a"
        ]
        self.assertTrue(wanted)
        self.assertEqual([each for each in wanted if f"/{each}" not in FILES], [])
        for tag, attributes in self.index.tags:
            if tag == "a":
                self.assertNotRegex(attributes["href"], "^/|:")
        for name, script in SCRIPTS.items():
            self.assertNotRegex(script, r"fetch\(.[/h]|EventSource\(.[/h]", name)
        self.assertNotRegex(STYLE, r"url\(|@import")

    def test_modules(self) -> None:
        """Each is imported and there, and loaded before another one asks for it."""
        imported = {
            found
            for script in SCRIPTS.values()
            for found in re.findall(r'^import .* from "\./(.*)";$', script, re.MULTILINE)
        }
        self.assertEqual(imported | {"page.js"}, SCRIPTS.keys())
        preloaded = [
            attributes["href"]
            for tag, attributes in self.index.tags
            if attributes.get("rel") == "modulepreload"
        ]
        self.assertEqual(preloaded, sorted(f"page/{name}" for name in imported))

    def test_ids(self) -> None:
        """What the scripts look for is in the HTML."""
        there = {attributes["id"] for _, attributes in self.index.tags if "id" in attributes}
        wanted = {
            id_ for script in SCRIPTS.values() for id_ in re.findall(r'by\("(.*?)"\)', script)
        }
        self.assertEqual(wanted - there, set())
        labels = {
            id_
            for _, attributes in self.index.tags
            for name in ("aria-labelledby", "for")
            if (id_ := attributes.get(name))
        }
        self.assertEqual(labels - there, set())

    def test_kinds(self) -> None:
        """The page follows all kinds of events, and has words for each."""
        (listed,) = re.findall(r"const KINDS = \[(.*?)\];", SCRIPTS["connection.js"], re.DOTALL)
        kinds = {kind.value for kind in Kind}
        self.assertEqual(set(re.findall(r'"(\w+)"', listed)), kinds)
        (worded,) = re.findall(r"SENTENCES = \{(.*?)\n\};", SCRIPTS["words.js"], re.DOTALL)
        self.assertEqual(set(re.findall(r"^  (\w+):", worded, re.MULTILINE)), kinds)


class ServedTests(RoutesCase):
    """The files over HTTP."""

    async def test_files(self) -> None:
        """Each has its type, and the policy that lets it run nothing from elsewhere."""
        await self.serve(ToldScanner(tree_of("a")))
        for path, (name, kind) in FILES.items():
            reply = await self.ask(path)
            self.assertEqual((reply.status, reply.headers["content-type"]), (200, kind), path)
            self.assertEqual(reply.body, Path(PAGE, name).read_bytes())
            self.assertIn("default-src 'none'", reply.headers["content-security-policy"])
        for path in ("/page/", "/page/none.js", "/page/../routes.py", "/index.html"):
            self.assertEqual((await self.ask(path)).status, 404, path)
