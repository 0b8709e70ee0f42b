"""Asks a cluster for its version before the command runs, so that calls are held against the right release.

Through the run's own listener, which knows the way to the server and verifies it. Nearly every cluster answers this to
anybody; where it does not, the version stays unknown, and the report says which release was taken.
"""

import base64
import json
import ssl
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path

from apisnoop import __version__
from apisnoop_addons.run.kubeconfig import Entry

_PATIENCE = 2.0
"""Seconds for each step. A command that waits for its cluster to come up should not wait for us as well."""
_LONGEST_ANSWER = 2**16


def ask_version(address: str, path: str, user: Entry, authority: bytes | None) -> str:
    """Return the gitVersion that the server behind a listener (host:port, prefix) tells; empty where it does not.

    `authority` is the PEM that the listener's certificate chains to, None for a listener that speaks plain text.
    Blocks.
    """
    connection = _connection(address, authority)
    try:
        headers = {"User-Agent": f"apisnoop/{__version__}", **authorization(user)}
        connection.request("GET", f"{path}/version", headers=headers)
        return str(json.loads(connection.getresponse().read(_LONGEST_ANSWER))["gitVersion"])
    except (OSError, HTTPException, ValueError, KeyError, TypeError):
        return ""
    finally:
        connection.close()


def authorization(user: Entry) -> dict[str, str]:
    """Return the header of a user's token or password; none for a user without, or whose token file is not there.

    A plugin is not run for this: it may ask a person.
    """
    if path := user.get("tokenFile"):
        try:
            return {"Authorization": f"Bearer {Path(path).read_text().strip()}"}
        except (OSError, UnicodeDecodeError):
            return {}
    if token := user.get("token"):
        return {"Authorization": f"Bearer {token}"}
    if name := user.get("username"):
        login = base64.b64encode(f"{name}:{user.get('password', '')}".encode()).decode()
        return {"Authorization": f"Basic {login}"}
    return {}


def _connection(address: str, authority: bytes | None) -> HTTPConnection:
    if authority is None:
        return HTTPConnection(address, timeout=_PATIENCE)
    context = ssl.create_default_context(cadata=authority.decode())
    return HTTPSConnection(address, timeout=_PATIENCE, context=context)
