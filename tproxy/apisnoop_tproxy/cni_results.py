"""The addresses that a pod was given, from what the container runtime has noted of it: known before the pod's first
process runs, while the API server hears of them a second or more later.

libcni, which containerd, CRI-O and k3s use, keeps the result of every attachment (`cacheAdd` in
https://github.com/containernetworking/cni/blob/main/libcni/api.go). Where there is none, the status is waited for.
"""

import ipaddress
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

import msgspec

from apisnoop.decoding import decoder_of

_LARGEST = 1 << 20


class _Address(msgspec.Struct, frozen=True):
    address: str = ""


class _Result(msgspec.Struct, frozen=True):
    ips: list[_Address] | None = None


class _Cached(msgspec.Struct, frozen=True, rename="camel"):
    container_id: str = ""
    cni_args: list[tuple[str, str]] | None = None
    result: _Result = _Result()


def cni_addresses(folder: Path, pod_uid: str, sandboxes: Collection[str]) -> frozenset[str]:
    """Return the addresses of a pod whose processes are in containers with these IDs, its sandbox's among them.

    `folder` holds the results; nothing is found if there is none. Addresses that every namespace has (loopback is an
    attachment, too) are left out: they would tell nothing.
    """
    found: set[str] = set()
    with suppress(OSError):
        for file in folder.iterdir():
            if any(one and f"-{one}-" in file.name for one in sandboxes):
                found |= _read(file, pod_uid)
    return frozenset(found)


def _read(file: Path, pod_uid: str) -> set[str]:
    try:
        if file.stat().st_size > _LARGEST:
            return set()
        cached = decoder_of(_Cached).decode(file.read_bytes())
    except (OSError, msgspec.MsgspecError):  # being written at this moment
        return set()
    if dict(cached.cni_args or ()).get("K8S_POD_UID", pod_uid) != pod_uid:
        return set()
    with suppress(ValueError):
        found = {ipaddress.ip_interface(one.address).ip for one in cached.result.ips or ()}
        return {str(one) for one in found if not (one.is_loopback or one.is_link_local or one.is_unspecified)}
    return set()
