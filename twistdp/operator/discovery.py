"""Finds out which kinds the API server has."""

from collections.abc import Collection

from twistdp.operator.api import ApiError
from twistdp.operator.client import Client
from twistdp.operator.kinds import Kind


async def offered(client: Client, kinds: Collection[Kind]) -> frozenset[Kind]:
    """Return those of the kinds that the API server has; raises `ApiError` and `Unreachable`."""
    found: set[Kind] = set()
    for version in sorted({kind.api_version for kind in kinds}):
        root = "apis" if "/" in version else "api"
        try:
            answer = await client.document(f"/{root}/{version}")
        except ApiError as error:
            if error.status == 404:
                continue
            raise
        plurals = {each.get("name") for each in answer.get("resources") or ()}
        found |= {kind for kind in kinds if kind.api_version == version and kind.plural in plurals}
    return frozenset(found)
