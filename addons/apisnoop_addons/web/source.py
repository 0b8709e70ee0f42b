"""The viewer's end of the wire: connected to the proxy whenever there is one."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from apisnoop_addons.web.wire import Copy, Loss, read_message

RETRY_SECONDS = 1.0
"""How long to wait before the proxy is looked for again."""

logger = logging.getLogger(__name__)


async def follow(feed: Path, take: Callable[[Copy | Loss], None]) -> None:
    """Take what the proxy hands out, whenever it is there, until cancelled."""
    while True:
        try:
            reader, writer = await asyncio.open_unix_connection(feed)
        except OSError:
            await asyncio.sleep(RETRY_SECONDS)
            continue
        logger.info("connected to the proxy: new calls are shown")
        try:
            await take_all(reader, take)
        except (OSError, ValueError) as error:
            logger.warning("what the proxy sends cannot be read: %s", error)
            await asyncio.sleep(RETRY_SECONDS)
        finally:
            writer.close()
        logger.warning("the proxy has gone: calls are not shown until it is back")


async def take_all(reader: asyncio.StreamReader, take: Callable[[Copy | Loss], None]) -> None:
    """Take what comes until it ends. Raises OSError, and ValueError for what is no message."""
    while (message := await read_message(reader)) is not None:
        take(message)
