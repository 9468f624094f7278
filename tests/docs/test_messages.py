"""docs/messages.md has every warning and error that the service can log."""

import re

from twisted.trial.unittest import SynchronousTestCase

from tests.docs.messages import SOURCE, Message, messages
from tests.docs.pages import PAGES, page


class MessageTests(SynchronousTestCase):
    """The tables of docs/messages.md."""

    def setUp(self) -> None:
        """Collect both."""
        self.logged = set(messages())
        self.told = [
            Message(level, text)
            for text, level in re.findall(
                r"^\| `([^`]*)` \| (\w) \|", page("docs/messages.md"), re.MULTILINE
            )
        ]

    def test_collected(self) -> None:
        """The collection has messages of each kind."""
        self.assertGreater(len(self.logged), 60)
        self.assertEqual({message.level for message in self.logged}, {"I", "W", "E"})
        for text in (
            "the log level has changed",  # of klog
            "cannot serve …; trying again every second",  # through a variable
            "tidying CDI specs",  # through an errback
            "no kubelet answers on …: registration waits until one does",  # a constant
            "… cannot be trusted: others may write in … (user …, group …, mode …); chmod go-w …",
        ):
            self.assertIn(text, {message.text for message in self.logged})

    def test_all(self) -> None:
        """Each row is a message of that level, and each warning or error has a row."""
        found = {row: best(row, self.logged) for row in self.told}
        self.assertEqual(
            [row for row, message in found.items() if message is None], [], "rows without message"
        )
        problems = {message for message in self.logged if message.level != "I"}
        self.assertEqual(problems - set(found.values()), set(), "messages without row")

    def test_troubleshooting(self) -> None:
        """The service can log every line that a symptom in the docs refers to."""
        section = page("docs/operations.md").split("## Troubleshooting, by symptom\n")[1]
        quoted = re.findall(r"`([^`]*(?:…|\d devices|serves)[^`]*)`", section.split("\n## ")[0])
        self.assertGreater(len(quoted), 6)
        for text in set(quoted) - {"Insufficient …"}:  # this is Kubernetes'
            begun = re.compile(".*".join(map(re.escape, text.split("…"))))
            self.assertTrue(
                any(
                    begun.fullmatch(message.text) or fits(Message(message.level, text), message)
                    for message in self.logged
                    if re.search("[a-z]", message.text) or "devices" in text
                ),
                text,
            )

    def test_positions(self) -> None:
        """No sample has the number of a line in our source, which soon has another one."""
        ours = {path.name for path in SOURCE.rglob("*.py")}
        for path in PAGES:
            numbered = re.findall(r"\b(\w+\.py):\d", page(path))
            self.assertEqual(ours.intersection(numbered), set(), path)


def best(row: Message, logged: set[Message]) -> Message | None:
    """Return the message that a row describes, perhaps with a value in place of its …, or None."""
    fitting = [message for message in logged if message.level == row.level and fits(row, message)]
    return max(fitting, key=lambda message: len(message.text.replace("…", "")), default=None)


def fits(row: Message, message: Message) -> bool:
    """Whether a row's text is a message's, after the resource's name or without."""
    parts = map(re.escape, message.text.split("…"))
    return re.fullmatch("(.*: )?" + "(.*)".join(parts), row.text) is not None
