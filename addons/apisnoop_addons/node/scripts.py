"""The user's own mitmproxy addons in the node's proxy: read once, when it starts.

A script is a mitmproxy script: functions named after hooks, or a list `addons`. Bodies pass piece by piece, so what a
script does belongs into `requestheaders` and `responseheaders`: headers may be changed, and a response set in
`requestheaders` is the answer. Scripts see tokens and Secrets; whoever may write them may do whatever the pods may.
"""

import importlib.util
from pathlib import Path
from types import ModuleType

from mitmproxy.http import HTTPFlow

from apisnoop.errors import ApisnoopError
from apisnoop_addons.record import leave_out


def load_scripts(folder: Path) -> list[ModuleType]:
    """Import the scripts (*.py) of a folder, by name. Raises ApisnoopError naming the one that cannot be."""
    return [_load(path) for path in sorted(folder.glob("*.py"))]


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"apisnoop_script_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None  # it ends in .py
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ApisnoopError(
            f"script {path.name} cannot be read: {type(error).__name__}: {error}; mend it in the chart's addons.scripts"
        ) from None
    module.name = path.name  # type: ignore[attr-defined]  # mitmproxy tells addons apart by it
    return module


class Answered:
    """The addon behind the scripts: what one of them has answered never gets to the server, so it is no call."""

    def requestheaders(self, flow: HTTPFlow) -> None:
        """Send the script's answer, for which the request has to be there as a whole."""
        if flow.response is not None:
            flow.request.stream = False
            leave_out(flow)
