"""What the cluster's API can do, read when the proxy starts and again now and then: custom resources come and go."""

import asyncio
import logging
from collections.abc import Callable

from apisnoop.cli.cluster import read_cluster_catalogue
from apisnoop.errors import ApisnoopError
from apisnoop.operations.catalogue import Catalogue
from apisnoop.operations.source import load_catalogue

REFRESH_SECONDS = 600.0
RETRY_SECONDS = 15.0
"""When the server cannot be read; until it can, calls are matched against the newest shipped release."""

logger = logging.getLogger(__name__)


async def follow_catalogue(become: Callable[[Catalogue], None]) -> None:
    """Hand over the catalogue of the cluster this pod runs in, and each that differs from the last, until cancelled."""
    known = ""
    while True:
        try:
            catalogue, problems = await asyncio.to_thread(read_cluster_catalogue)
        except ApisnoopError as error:
            if not known:
                fallback = await asyncio.to_thread(load_catalogue, None)
                become(fallback)
                known = fallback.digest
                logger.warning("%s; matching against %s meanwhile", error, fallback.source)
            await asyncio.sleep(RETRY_SECONDS)
            continue
        if catalogue.digest != known:
            known = catalogue.digest
            become(catalogue)
            logger.info("matching against %s", catalogue.source)
            for problem in problems:
                logger.warning("%s %s", problem.where, problem.what)
        await asyncio.sleep(REFRESH_SECONDS)
