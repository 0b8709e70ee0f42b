"""mitmweb's page with a style sheet of ours: what is refused is not offered, and who calls has room in the list."""

from pathlib import Path
from typing import Any

from mitmproxy.tools.web.app import IndexHandler
from tornado.web import RequestHandler

STYLE_SHEET = (Path(__file__).parent / "looks.css").read_bytes()
CONSOLE = b"the password or authentication token printed in the console"
"""What mitmweb's form asks for; nothing is printed here."""
SECRET = b"the viewer's password: the Secret apisnoop-mitmweb has it, unless another was chosen at the installation"


class Page(IndexHandler):  # type: ignore[no-untyped-call]  # __init_subclass__
    """GET /, and POST / to log in."""

    def render(self, template_name: str, **values: Any) -> Any:  # noqa: ANN401 - as tornado has it
        """Render mitmweb's template; name the style sheet behind its own, and where the password is."""
        # Where mitmweb 12.2 looks for it in its form, it is not.
        page = self.render_string(template_name, static_url=lambda _: "/static/favicon.ico", **values)
        page = page.replace(CONSOLE, SECRET)
        return self.finish(page.replace(b"</head>", b'<link rel="stylesheet" href="./apisnoop.css"></head>'))


class Looks(RequestHandler):
    """GET /apisnoop.css, for whoever asks."""

    def get(self) -> None:
        """Answer with the style sheet."""
        self.set_header("Content-Type", "text/css; charset=utf-8")
        self.finish(STYLE_SHEET)
