"""Cleans up the CDI spec files of resources that are not served any more."""

import os
from collections.abc import Collection, Mapping

from twisted.logger import Logger

from twistdp.cdi.files import SpecFile, SpecNotWritten, file_name, resource_of
from twistdp.cdi.shared_file import remove_abandoned
from twistdp.errors import Untrusted

_log = Logger()


def stale_files(
    directory: str, namespaces: Collection[str], served: Collection[str]
) -> Mapping[str, SpecFile]:
    """Return the files in `directory` of resources of `namespaces` that are not `served`.

    Resources are named ``domain/type``.  Removes hidden files that dead processes left.
    """
    try:
        found = os.listdir(directory)
        remove_abandoned(directory)
    except FileNotFoundError:
        return {}
    except (OSError, Untrusted) as error:
        reason = getattr(error, "strerror", None) or str(error)
        _log.warn("cannot clean {path}: {reason}", path=directory, reason=reason)
        return {}
    # By their files' names, since a long one says less than the resource's.
    spared = {file_name(*name.split("/")) for name in served}
    return {
        "/".join(resource): SpecFile(directory, *resource)
        for name in sorted(found)
        if name not in spared
        and (resource := resource_of(name)) is not None
        and resource[0] in namespaces
    }


def clean(
    directory: str,
    namespaces: Collection[str],
    served: Collection[str],
    held: Mapping[str, Collection[str]] | None,
    *,
    logged: set[str] | None = None,
) -> bool:
    """Clean up after those who served resources of `namespaces` from `directory`.

    `served` are the names, ``domain/type``, of the resources that this process serves now: their
    files are left to their `SpecFile`.  Devices of others are dropped if no pod holds them; `held`
    maps resources to the ids that pods hold, None means that this is not known and all are kept.
    Files of other domains are left alone, and so is a resource that another process serves.  A
    file that cannot be cleaned is left, and that is logged unless it is in `logged`, to which it is
    added.  Returns whether another call may do more later.
    """
    known = set() if logged is None else logged
    is_left = False
    for resource, file in stale_files(directory, namespaces, served).items():
        try:
            is_left |= file.clean(None if held is None else held.get(resource, ()))
        except SpecNotWritten as error:
            is_left = True
            if str(error) not in known:
                known.add(str(error))
                _log.warn(
                    "stale CDI spec {path} cannot be removed: {reason}; it is tried again every "
                    "minute",
                    path=file.path,
                    reason=error.reason,
                )
    return is_left
