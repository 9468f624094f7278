"""Makes single objects: creates what does not exist, and applies what does."""

from collections.abc import Mapping
from typing import Any

from twistdp.operator.api import FIELD_MANAGER, ApiError, Document, IApi
from twistdp.operator.cache import Took
from twistdp.operator.children import Child, child_of
from twistdp.operator.kinds import DAEMON_SET, KINDS


class Maker:
    """Makes objects of `api`; `took` gets what requests in between are answered with.

    Its methods raise `ApiError` and `Unreachable`; the next call goes on where this one failed.
    """

    def __init__(self, api: IApi, took: Took) -> None:
        self._api = api
        self._took = took

    async def made(self, document: Mapping[str, Any], child: Child | None) -> Document:
        """Create an object if there seems to be none, or apply it; return what it then is.

        To apply it would take over what somebody has made a moment ago, and no watch has shown yet.
        To create it fails then, and so does to apply another DaemonSet: its selector cannot change.
        """
        kind = KINDS[document["kind"]]
        if child is None and kind != DAEMON_SET:
            made = await self._api.create(document)
            self._took(kind, made)
            return await self._own(child_of(kind, made)) or made
        if child is not None:
            await self._own(child)
        return await self._api.apply(document)

    async def _own(self, child: Child) -> Document | None:
        """Make the fields that we have created count as applied; return the object then.

        A field that is not applied any more would stay otherwise, since it has been created.
        """
        if child.entry is None:
            return None
        place, entry = child.place, f"/metadata/managedFields/{child.entry}"
        operations = [
            {"op": "test", "path": f"{entry}/manager", "value": FIELD_MANAGER},
            {"op": "test", "path": f"{entry}/operation", "value": "Update"},
            {"op": "replace", "path": f"{entry}/operation", "value": "Apply"},
        ]
        kind = KINDS[place.kind]
        try:
            answer = await self._api.patch(kind, place.namespace, place.name, operations)
        except ApiError as error:
            if error.status not in (404, 422):
                raise
            # It is gone, or has other owners by now, which a watch will show.
            raise ApiError(
                409, "Conflict", error.message, verb=error.verb, resource=error.resource
            ) from error
        self._took(kind, answer)
        return answer
