"""What of mitmweb's HTTP interface is let through: a list of what may be asked, because mitmweb is made for changing.

Everything else is refused before mitmweb sees it: replaying, resuming, editing, importing, options and commands, and
whatever a later mitmweb may add. Who may look at all is mitmweb's own business, behind this.
"""

import re
from typing import Any

from tornado.httputil import HTTPMessageDelegate, HTTPServerRequest
from tornado.routing import Router
from tornado.web import Application, RequestHandler

LOOKING = "GET"
LOGGING_IN = "POST"
_FLOW = r"/flows/[0-9a-f-]{1,64}"
_ALLOWED = {
    LOOKING: re.compile(
        r"/"
        r"|/healthz"
        r"|/apisnoop\.css"
        r"|/static/[\w.-]{1,128}"
        r"|/(?:flows|events|options|state|filter-help|commands)(?:\.json)?"  # of commands and options only the list
        r"|/updates"
        r"|/flows/dump"
        rf"|{_FLOW}/(?:request|response|messages)/content\.data"
        rf"|{_FLOW}/(?:request|response|messages)/content/[\w%-]{{1,64}}(?:\.json)?"
    ),
    LOGGING_IN: re.compile(r"/"),
}
REFUSAL = "This view is for looking only: nothing can be replayed, changed or executed here.\n"


def may_pass(method: str, path: str) -> bool:
    """Tell whether a request only looks, or logs in."""
    allowed = _ALLOWED.get(method)
    return allowed is not None and allowed.fullmatch(path) is not None


class ReadOnly(Router):
    """Passes on to an application what may pass."""

    def __init__(self, application: Application) -> None:
        self._application = application

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> HTTPMessageDelegate | None:  # noqa: ANN401
        """Route a request."""
        if may_pass(request.method or "", request.path):
            return self._application.find_handler(request, **kwargs)
        return self._application.get_handler_delegate(request, Refused)


class Refused(RequestHandler):
    """The answer to everything else."""

    def prepare(self) -> None:
        """Refuse, whatever the method is."""
        self.set_status(403)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(REFUSAL)

    def check_xsrf_cookie(self) -> None:
        """Refuse those without the cookie in the same words."""
