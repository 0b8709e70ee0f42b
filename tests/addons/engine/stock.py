"""Stock mitmproxy in front of a rig's server, as people run it: mitmdump in reverse mode."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from mitmproxy.options import Options
from mitmproxy.tools.dump import DumpMaster

from tests.addons.engine.rig import HOST, Rig, free_socket


@contextlib.asynccontextmanager
async def stock(rig: Rig, *addons: object) -> AsyncIterator[None]:
    """Run it with these addons behind its own; `rig.port` leads to it."""
    with free_socket() as bound:
        port = bound.getsockname()[1]
    shown = rig.folder / "shown.pem"
    shown.write_bytes(rig.certificate.certificate + rig.certificate.key)
    options = Options(
        mode=[f"reverse:https://{HOST}:{rig.upstream_port}"],
        listen_host=HOST,
        listen_port=port,
        certs=[str(shown)],
        confdir=str(rig.folder),
        ssl_insecure=True,
    )
    master = DumpMaster(options, with_termlog=False, with_dumper=False)
    master.options.update(connection_strategy="lazy")
    runs = Runs()
    master.addons.add(*addons, runs)
    task = asyncio.create_task(master.run())
    try:
        await runs.event.wait()
        rig.port = port
        yield
    finally:
        master.shutdown()
        await task


class Runs:
    """Hears when all is ready."""

    def __init__(self) -> None:
        self.event = asyncio.Event()

    def running(self) -> None:
        """All is ready."""
        self.event.set()
