"""Each check finds what it is for, as in `tests.conformance.test_bugs`: the other groups."""

from tests.conformance.test_bugs import BugTestCase


class BugTests(BugTestCase):
    """Broken plugins are found out."""

    async def test_registration(self) -> None:
        """Ways to be registered badly or never."""
        await self.judge("registration")

    async def test_list(self) -> None:
        """Lists that are wrong, late or too many."""
        await self.judge("list")

    async def test_identity(self) -> None:
        """Ids that stand for this and that."""
        await self.judge("identity")

    async def test_restart(self) -> None:
        """Ways not to survive a kubelet."""
        await self.judge("restart")

    async def test_wire(self) -> None:
        """Trouble with peers that misbehave."""
        await self.judge("wire")

    async def test_process(self) -> None:
        """Trouble as a process."""
        await self.judge("process")

    async def test_registry(self) -> None:
        """Trouble in the plugins registry."""
        await self.judge("registry")
