"""Puts the custom resource's definition into an API server."""

from typing import Any

from twisted.internet import reactor
from twisted.internet.task import deferLater

from tests.support.apiclient import ApiClient
from tests.support.helpers import PATIENCE, soon
from twistdp.crds import GROUP, PLURAL, VERSION, crd

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
DEVICE_PLUGINS = f"/apis/{GROUP}/{VERSION}/{PLURAL}"
NAME = f"{PLURAL}.{GROUP}"


async def define(client: ApiClient) -> dict[str, Any]:
    """Have the server serve DevicePlugins, which several tests may ask for; its definition."""
    reply = await client.apply(f"{DEFINITIONS}/{NAME}", crd(), "tests", force="true")
    assert reply.code in (200, 201), reply.body
    watch = await client.watch(DEFINITIONS, fieldSelector=f"metadata.name={NAME}")
    await soon(watch.events.until(lambda calls: any(map(_is_established, calls))))
    found: dict[str, Any] = next(each for each in watch.events.calls if _is_established(each))
    await watch.close()
    # The server learns of its own definition a moment later.
    for _ in range(int(PATIENCE / 0.05)):
        if (await client.get(DEVICE_PLUGINS)).code == 200:
            break
        await deferLater(reactor, 0.05)
    return dict(found["object"])


def _is_established(event: dict[str, Any]) -> bool:
    # They are null at first.
    conditions = event["object"].get("status", {}).get("conditions") or ()
    return any((each["type"], each["status"]) == ("Established", "True") for each in conditions)
