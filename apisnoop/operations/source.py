"""Where catalogues come from: a release inside the package, a file, a folder, a URL, or a live cluster.

Reading a cluster needs credentials and a client, which this package does not have: the caller gives a function for
that.
"""

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from apisnoop import __version__
from apisnoop.errors import ApisnoopError, UsageError
from apisnoop.operations.catalogue import Catalogue
from apisnoop.operations.document import Document, merge_documents, parse_document, release_of
from apisnoop.operations.shipped import nearest_release, shipped

CLUSTER = "cluster"
_TIMEOUT = 30.0
_SUFFIXES = ("*.json", "*.yaml", "*.yml", "*.json.gz")


def load_catalogue(
    spec: str | None = None, *, server_version: str = "", read_cluster: Callable[[], Catalogue] | None = None
) -> Catalogue:
    """Give the catalogue that a `--spec` value names.

    That is a shipped release (1.34), a file or folder of OpenAPI documents, a URL, or "cluster", for which
    `read_cluster` is called. None stands for the shipped release nearest to `server_version`, or the newest one if that
    is empty too.
    Raises UsageError for a release that is not shipped, ApisnoopError for a source that cannot be reached or read.
    """
    if spec is None:
        return _load_default(server_version)
    if spec == CLUSTER:
        if read_cluster is None:
            raise UsageError("--spec cluster cannot be used here; name a release, file or URL")
        return read_cluster()
    if urlsplit(spec).scheme in {"http", "https"}:
        return catalogue_of(_read_url(spec), spec, f"URL {spec}")
    release = release_of(spec)
    if release in shipped().releases:
        return shipped_catalogue(release)
    path = Path(spec)
    if path.exists():
        return catalogue_of(read_documents(path), path.name, f"file {spec}")
    known = ", ".join(shipped().releases)
    what = f"release {release} is not in this package" if release else "no such release or file"
    raise UsageError(f"--spec {spec}: {what}; name one of {known}, a file, a URL, or cluster for the server's own")


def shipped_catalogue(release: str) -> Catalogue:
    """Give the catalogue of a release inside the package."""
    return Catalogue(
        shipped().operations(release),
        release=release,
        source=f"Kubernetes {release}, shipped with apisnoop {__version__}",
    )


def catalogue_of(document: Document, name: str, source: str) -> Catalogue:
    """Make the catalogue of one document; its release comes from its text, else from a name like swagger-v1.34.json."""
    if not document.operations:
        raise ApisnoopError(f"{source} describes no operation that can be used; see `apisnoop spec check`")
    release = document.release or _release_in(name)
    told = f", Kubernetes {release}" if release else ""
    return Catalogue(document.operations, release=release, source=f"{source}{told}")


def read_documents(path: Path) -> Document:
    """Read an OpenAPI document, or all documents of a folder joined (as api/openapi-spec/v3 holds them)."""
    try:
        if not path.is_dir():
            return _parse(path.read_bytes(), str(path))
        files = sorted({file for pattern in _SUFFIXES for file in path.glob(pattern)})
        documents = [_parse(file.read_bytes(), str(file)) for file in files]
    except OSError as error:
        raise ApisnoopError(f"cannot read {path}: {error.strerror or error}") from None
    if not documents:
        raise ApisnoopError(f"folder {path} holds no OpenAPI document ({', '.join(_SUFFIXES)})")
    return merge_documents(documents)


def _parse(content: bytes, name: str) -> Document:
    try:
        return parse_document(content, name)
    except ValueError as error:
        raise ApisnoopError(str(error)) from None


def _load_default(server_version: str) -> Catalogue:
    releases = shipped().releases
    if not release_of(server_version):
        return shipped_catalogue(releases[-1])
    return shipped_catalogue(nearest_release(release_of(server_version)))


def _read_url(url: str) -> Document:
    # Imported here because http and ssl take their time, and most commands never need them.
    from http.client import HTTPException  # noqa: PLC0415
    from urllib.request import Request, urlopen  # noqa: PLC0415

    headers = {"User-Agent": f"apisnoop/{__version__}", "Accept": "application/json, */*"}
    try:
        request = Request(url, headers=headers)  # noqa: S310 - load_catalogue lets only http(s) come here
        with urlopen(request, timeout=_TIMEOUT) as response:  # noqa: S310
            content = response.read()
    except (OSError, HTTPException, ValueError) as error:
        raise ApisnoopError(f"cannot read {url}: {getattr(error, 'reason', error)}") from None
    return _parse(content, url)


def _release_in(name: str) -> str:
    found = re.search(r"v?(\d+\.\d+)", name)
    return found[1] if found else ""
