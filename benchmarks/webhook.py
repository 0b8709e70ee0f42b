"""How long the admission webhook takes for a review, at fifty a second, over TLS, as its API server sees it."""

import asyncio
import json
import ssl
import statistics
import subprocess
import sys
from time import perf_counter

from benchmarks.row import Row

RATE = 50
REVIEWS = 500
"""In each round."""
ROUNDS = 3


def run() -> list[Row]:
    """Return the 99th percentile, in milliseconds, as the median of some rounds."""
    value = statistics.median(_round() for _ in range(ROUNDS))
    return [Row(f"webhook, p99 at {RATE} reviews/s", value, "ms", 10, 5, at_least=False)]


def _round() -> float:
    command = [sys.executable, "-m", "benchmarks.webhook_process"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        took = asyncio.run(_percentile(told["port"], ssl.create_default_context(cadata=told["trusted"])))
        process.communicate()
    return took


async def _percentile(port: int, trusting: ssl.SSLContext) -> float:
    """Ask at a steady rate over one connection, as an API server does; a late start counts as waiting."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting)
    body = json.dumps(_review()).encode()
    request = f"POST /pods HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    took, begin = [], perf_counter()
    for number in range(REVIEWS):
        due = begin + number / RATE
        await asyncio.sleep(max(0.0, due - perf_counter()))
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        await reader.readexactly(int(length.partition(b":")[2]))
        took.append((perf_counter() - due) * 1000)
    writer.close()
    await writer.wait_closed()
    return statistics.quantiles(took, n=100)[98]


def _review() -> dict[str, object]:
    """Make the review of a pod of usual size: 8 KiB."""
    environment = [{"name": f"SETTING_{number}", "value": "x" * 40} for number in range(80)]
    pod = {
        "metadata": {"generateName": "web-", "annotations": {"apisnoop": "true"}},
        "spec": {"containers": [{"name": "app", "image": "app:1", "env": environment}]},
    }
    request = {
        "uid": "u",
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "operation": "CREATE",
        "namespace": "shop",
        "object": pod,
    }
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
