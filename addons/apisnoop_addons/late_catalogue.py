"""Stands in for the catalogue until the cluster has been asked which release it is, for which the proxy must run."""

from apisnoop.operations.catalogue import Catalogue
from apisnoop.operations.match import Finding, Match, Target

_OWN_QUESTION = Match(
    target=Target(
        operation=None,
        finding=Finding.NOT_API,
        method="GET",
        template="/version",
        group="",
        version="",
        resource="",
        subresource="",
        reason="asked before the run began",
    ),
    verb="get",
    detail="",
    namespace="",
    name="",
)


class LateCatalogue:
    """What the recorder matches against: nothing at first, then a catalogue."""

    def __init__(self) -> None:
        self._catalogue: Catalogue | None = None

    def become(self, catalogue: Catalogue) -> None:
        """Match against `catalogue` from now on."""
        self._catalogue = catalogue

    def match(self, method: str, url: str, content_type: str = "") -> Match:
        """Tell what a request asks for."""
        return _OWN_QUESTION if self._catalogue is None else self._catalogue.match(method, url, content_type)

    def match_audit(self, verb: str, request_uri: str) -> Match:
        """Tell what an audit event says of a request; there are none in a run, but every catalogue can."""
        return _OWN_QUESTION if self._catalogue is None else self._catalogue.match_audit(verb, request_uri)
