"""The proxy that is measured: what `apisnoop run` starts, with recorder and tallies, but without a command.

Usage: python -m benchmarks.proxy_process FOLDER PORT. Prints the port it listens on.
"""

import asyncio
import socket
import sys
from pathlib import Path

from apisnoop.calls.caller import Caller
from apisnoop.calls.tally import TallyBatch
from apisnoop.operations.source import load_catalogue
from apisnoop_addons.engine.listener import Listener
from apisnoop_addons.engine.proxy import Proxy
from apisnoop_addons.engine.upstream import KeyPair, Upstream
from apisnoop_addons.identify import Identify
from apisnoop_addons.record import Record
from apisnoop_addons.stream import Stream


async def main(folder: Path, port: int) -> None:
    """Serve until killed."""
    bound = socket.create_server(("127.0.0.1", 0))
    bound.setblocking(False)
    pair = KeyPair((folder / "chain.pem").read_bytes(), (folder / "key.pem").read_bytes())
    upstream = Upstream(host="127.0.0.1", port=port, ca_pem=pair.certificate)
    proxy = Proxy(Stream(), Identify(), Record(load_catalogue(), TallyBatch().add))
    await proxy.start()
    await proxy.listen(Listener(socket=bound, identity=Caller(), certificate=pair, upstream=upstream))
    sys.stdout.write(f"{bound.getsockname()[1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
