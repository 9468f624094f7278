"""Whether a DevicePlugin that somebody applies is admitted."""

from collections.abc import Mapping
from typing import Any

from twistdp.crds import BadObject, read

Review = Mapping[str, Any]
"""An AdmissionReview of admission.k8s.io/v1, as JSON has it."""


def reviewed(review: Review) -> dict[str, Any]:
    """Return the answer to a review; raises ValueError for what is none.

    An object is refused for what the operator could not use.  One that is being deleted, or whose
    spec stays as it is, is let through: otherwise nobody could remove its finalizers or label it.
    """
    request = review.get("request")
    if not isinstance(request, dict) or not isinstance(request.get("uid"), str):
        raise ValueError("it has no request with a uid")
    problems = _problems(request)
    response: dict[str, Any] = {"uid": request["uid"], "allowed": not problems}
    if problems:
        message = "; ".join(problems)
        response["status"] = {"code": 422, "reason": "Invalid", "message": message}
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}


def _problems(request: Mapping[str, Any]) -> tuple[str, ...]:
    document, before = request.get("object"), request.get("oldObject")
    if not isinstance(document, dict):
        return ()  # it is deleted
    metadata = document.get("metadata")
    if isinstance(metadata, dict) and metadata.get("deletionTimestamp"):
        return ()
    if isinstance(before, dict) and before.get("spec") == document.get("spec"):
        return ()
    try:
        read(document)
    except BadObject as error:
        return tuple(error.problems)
    return ()
