"""The page with texts that nobody expects, and for those who see it in another way."""

import json

from tests.integration.test_life import YELLOW, ToldScanner
from tests.page.case import PageCase, a_tree, text_of
from twistdp import UNHEALTHY, DeviceInfo, DeviceSpec, DeviceTree
from twistdp.resource import inventory, room
from twistdp.status import Kind

LONGEST_ID = "usb:1-1.2@" + "z" * 53


def quoted(reason: str) -> DeviceTree:
    """A device whose node has a name that would break a selector."""
    tree = DeviceTree()
    nodes = [DeviceSpec('/dev/nu"l]', "/dev/x")]
    tree.add_device("yellow", "a", DeviceInfo(UNHEALTHY, nodes=nodes, reason=reason))
    return tree


class TextTests(PageCase):
    """Texts from outside."""

    async def test_nothing_runs(self) -> None:
        """A reason that looks like HTML is shown as it is."""
        await self.kubelet.start()
        evil = "<img src=x onerror=window.ran=1><script>window.ran=1</script>"
        page = await self.show(ToldScanner(a_tree(["a"], {"a": evil})))
        await page.until(f"{text_of('tr[data-state=ill]')}.includes({json.dumps(evil)})")
        self.assertIsNone(await page.run("window.ran"))
        self.assertEqual(await page.run("document.images.length"), 1)
        self.assertEqual(page.complaints, [])

    async def test_unseen_characters(self) -> None:
        """Characters that hide others, or turn their direction, are shown as codes."""
        await self.kubelet.start()
        page = await self.show(ToldScanner(a_tree(["a"])))
        await self.kubelet.listed(YELLOW, ["a"])
        await self.kubelet.allocate(YELLOW, ids=["a"], pod="gnp\u202egnp.exe")
        await page.until(text_of("tr[data-state=held]") + r".includes('gnp\\u202egnp.exe')")
        self.events.emit(Kind.SCAN_FAILED, scanner="x\u200b:Y", reason="one\ntwo\x1b[31m\0")
        await page.until(text_of("#events") + r".includes('one\\u000atwo\\u001b[31m\\u0000')")
        await page.until(text_of("#events") + r".includes('x\\u200b:Y')")
        unseen = r"/[\u202e\u200b\u001b]/.test(document.documentElement.textContent)"
        self.assertFalse(await page.run(unseen))

    async def test_long_texts(self) -> None:
        """The longest ids, names and reasons need no more room than a phone has."""
        await self.kubelet.start()
        reason = "<b>&quot;" + "hot" * 60 + " שלום"
        page = await self.show(ToldScanner(a_tree([LONGEST_ID, "b"], {LONGEST_ID: reason})))
        await page.until(f"{text_of('tr[data-state=ill]')}.includes('hothot')")
        await self.kubelet.allocate(YELLOW, ids=["b"], pod="p" * 253, namespace="n" * 63)
        await page.until(f"{text_of('tr[data-state=held]')}.includes('ppp')")
        await page.run("document.querySelector('tr[data-state=held] button').click()")
        await self.see(page, "long")
        self.assertEqual(page.complaints, [])

    async def test_no_room(self) -> None:
        """Devices that the list has no room for are shown, and counted if they are unhealthy."""
        await self.kubelet.start()
        self.patch(inventory, "MOST_BYTES", 40)
        self.patch(inventory, "that_fit", lambda sizes, ranks: room.that_fit(sizes, ranks, 40))
        page = await self.show(ToldScanner(a_tree(["cam-1", "cam-2"], {"cam-2": "too hot"})))
        await page.until(f"{text_of('#problems')}.includes('too hot')")
        await page.until(f"{text_of('tr[data-state=ill]')}.includes('Unhealthy, not listed')")
        self.assertIn("yellow: 1 device cannot be used", await page.run(text_of("#problems")))
        await page.until(f"{text_of('#numbers [data-tone=bad] dd')} === '1'")

    async def test_quotes(self) -> None:
        """A path that has quotes keeps its focus while its row changes, and breaks nothing."""
        await self.kubelet.start()
        scanner = ToldScanner(quoted("one"))
        page = await self.show(scanner)
        await page.until("!document.getElementById('explain').hidden")
        await page.until(f"{text_of('tbody')}.includes('one')")
        await page.run("document.querySelector('tbody button').click()")
        await page.run("document.querySelector('tr.details button').focus()")
        scanner.tell(quoted("two"))
        await page.until(f"{text_of('tr.details')}.includes('two')")
        focus = await page.run("document.activeElement.getAttribute('aria-label')")
        self.assertEqual(focus, 'Explain /dev/nu"l]')
        self.assertEqual(page.complaints, [])


class SightTests(PageCase):
    """The page for users who see it in another way."""

    async def test_forced_colours(self) -> None:
        """With the few colours of a user's own, nothing disappears."""
        await self.kubelet.start()
        page = await self.show(ToldScanner(a_tree(["a", "b"], {"b": "too hot"})))
        await page.until(f"{text_of('#problems')}.includes('too hot')")
        await page.until("document.querySelector('.strip [data-tone=good]') !== null")
        await page.call(
            "Emulation.setEmulatedMedia", features=[{"name": "forced-colors", "value": "active"}]
        )
        choice = "getComputedStyle(document.querySelector('.choice[aria-pressed=true]'))"
        self.assertTrue(await page.run(f"{choice}.color !== {choice}.backgroundColor"))
        ground = "getComputedStyle(document.querySelector('.card')).backgroundColor"
        for part in (".meter b[data-state=ill]", ".strip b[data-tone=good]"):
            colour = f"getComputedStyle(document.querySelector('{part}')).backgroundColor"
            self.assertTrue(await page.run(f"{colour} !== {ground}"), part)
        await self.picture(page, "forced")

    async def test_heard(self) -> None:
        """A screen reader reads words, and no signs that repeat them."""
        await self.kubelet.start()
        page = await self.show(ToldScanner(a_tree(["a", "b"], {"b": "too hot"})))
        await page.until(f"{text_of('#problems')}.includes('too hot')")
        await page.until(f"{text_of('#numbers')}.includes('2 / 2')")
        await page.run("document.querySelector('tr[data-state=ill] button').click()")
        tree = await page.call("Accessibility.getFullAXTree")
        heard = [
            node["name"]["value"]
            for node in tree["nodes"]
            if not node["ignored"] and node.get("name", {}).get("value")
        ]
        self.assertIn("color.example.com/yellow", heard)
        self.assertIn("b , unhealthy: too hot", heard)
        self.assertEqual([name for name in heard if set(name) & set("▾▸●○◌◐✓✕⊗")], [])

    async def test_motion(self) -> None:
        """A change is highlighted for a moment, but not for users who want no motion."""
        await self.kubelet.start()
        scanner = ToldScanner(a_tree(["a"]))
        page = await self.show(scanner)
        await page.until(f"{text_of('tbody')}.includes('blue-2')")
        scanner.tell(a_tree(["a"], {"a": "too hot"}))
        await page.until("document.querySelector('tr.changed') !== null")
        animation = "getComputedStyle(document.querySelector('tr.changed')).animationName"
        self.assertEqual(await page.run(animation), "none")
        await page.call("Emulation.setEmulatedMedia", features=[])
        self.assertEqual(await page.run(animation), "flash")

    async def test_print(self) -> None:
        """On paper all events that the page shows are there, and cover nothing."""
        await self.kubelet.start()
        page = await self.show(ToldScanner(a_tree(["a"])))
        await page.until(f"{text_of('tbody')}.includes('blue-2')")
        for _ in range(40):
            self.events.emit(Kind.REGISTERED, resource=YELLOW)
        await page.until("document.querySelectorAll('#events li').length > 40")
        await page.call("Emulation.setEmulatedMedia", media="print")
        place = "document.querySelector('{}').getBoundingClientRect().{}"
        last, bottom = "#events li:last-child", "bottom"
        after = await page.run(place.format("#resources-title", "top"))
        self.assertLess(await page.run(place.format(last, bottom)), after)
        self.assertEqual(await page.run(place.format("#explain", "height")), 0)
        await self.picture(page, "paper")

    async def test_fault(self) -> None:
        """A fault of the page itself is shown to the user."""
        await self.kubelet.start()
        page = await self.show(ToldScanner(a_tree(["a"])))
        await page.until(f"{text_of('tbody')}.includes('blue-2')")
        self.assertTrue(await page.run("document.getElementById('fault').hidden"))
        await page.run("setTimeout(() => { throw new Error('a fault'); })")
        await page.until("!document.getElementById('fault').hidden")
