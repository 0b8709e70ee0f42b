"""`apisnoop-tproxy wait`: the init container that holds a pod back until its calls are recorded.

It asks the node agent on the pod's loopback, where the agent answers as soon as it has entered the pod. It needs no
right and no file, and it lets the pod start whatever happens: what may be lost is the record of its first calls.
"""

import socket
import time
from collections.abc import Callable
from pathlib import Path

HOST, PORT = "127.0.0.1", 15022
"""Where the agent answers, in the pod's network namespace."""
ENROLLED, SKIPPED = "enrolled", "skipped: "
"""The answers; the second is followed by why."""
TERMINATION_LOG = Path("/dev/termination-log")
_PAUSE_SECONDS = 0.05


def wait(limit: float, address: tuple[str, int] = (HOST, PORT), clock: Callable[[], float] = time.monotonic) -> str:
    """Wait until the agent has answered, at most `limit` seconds; return why not if the pod is not recorded."""
    deadline = clock() + limit
    while (left := deadline - clock()) > 0:
        try:
            answer = _ask(address, left)
        except OSError:
            answer = ""
        if answer == ENROLLED:
            return ""
        if answer:
            return answer.removeprefix(SKIPPED)
        time.sleep(min(_PAUSE_SECONDS, left))  # nobody listens there yet, or the agent has been replaced
    return f"the node agent has not answered within {limit:g} s: see whether apisnoop runs on this node"


def report(why: str, path: Path = TERMINATION_LOG) -> None:
    """Leave why the pod is not recorded where `kubectl describe pod` shows it. Raises OSError outside of one."""
    path.write_text(f"This pod starts without being recorded: {why}\n")


def _ask(address: tuple[str, int], left: float) -> str:
    """Ask once; empty if the agent left without an answer. Raises OSError if nobody listens, or none came in time."""
    with socket.create_connection(address, timeout=left) as sock, sock.makefile("rb") as answers:
        return answers.readline(1024).decode(errors="replace").strip()
