"""Reading what a live cluster says its API can do: OpenAPI v3 by group and version, else v2.

Here and not in `apisnoop.operations`, because it needs the kubernetes client for kubeconfigs and credentials, which
that package must not import. Import this module only when a cluster is asked for: the client takes 0.3 s.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import msgspec
import urllib3
from kubernetes import client

from apisnoop import __version__
from apisnoop.causes import cause_of
from apisnoop.cli.document_cache import DocumentCache
from apisnoop.cli.kubeconfig import authorization, configure
from apisnoop.decoding import decoder_of
from apisnoop.errors import ApisnoopError
from apisnoop.operations.catalogue import Catalogue
from apisnoop.operations.document import Document, Problem, merge_documents, parse_document, release_of

_AT_ONCE = 8
"""Documents fetched at the same time."""
_CHECK = "is it running? check server and certificate-authority in the kubeconfig"
_TIMEOUT = urllib3.Timeout(connect=10, read=60)


class _Version(msgspec.Struct):
    """What we read of /version."""

    version: str = msgspec.field(name="gitVersion", default="")


class _GroupVersion(msgspec.Struct):
    url: str = msgspec.field(name="serverRelativeURL")


class _Index(msgspec.Struct):
    """/openapi/v3: the document of each group and version."""

    paths: dict[str, _GroupVersion]


class _RefusedError(Exception):
    """The server answered, but not with what was asked for."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the server answered {status}")
        self.status = status


class ClusterReader:
    """GET requests to one API server, with the credentials of a kubeconfig or of the pod we run in.

    Raises ApisnoopError when there is no usable kubeconfig.
    """

    def __init__(self, kubeconfig: Path | None = None, context: str | None = None) -> None:
        configuration = configure(kubeconfig, context)
        configuration.connection_pool_maxsize = _AT_ONCE
        self.host: str = configuration.host.rstrip("/")
        """URL of the API server."""
        self._pool: urllib3.PoolManager = client.ApiClient(configuration).rest_client.pool_manager
        self._configuration = configuration

    def get(self, path: str) -> bytes:
        """Fetch a path.

        Raises _RefusedError for any status but 200, ApisnoopError if there is no answer.
        """
        agent = {"Accept": "application/json", "User-Agent": f"apisnoop/{__version__}"}
        headers = {**agent, **authorization(self._configuration)}
        try:
            answer = self._pool.request("GET", self.host + path, headers=headers, timeout=_TIMEOUT, retries=False)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise ApisnoopError(f"cannot reach the API server {self.host}: {cause_of(error)}; {_CHECK}") from None
        if answer.status != 200:
            raise _RefusedError(answer.status)
        return answer.data


def read_cluster_catalogue(
    kubeconfig: Path | None = None, context: str | None = None, cache: DocumentCache | None = None
) -> tuple[Catalogue, tuple[Problem, ...]]:
    """Read the catalogue of a live cluster, custom resources and aggregated APIs included, and what could not be read.

    Raises ApisnoopError, in one line, when the cluster cannot be reached or does not let us read.
    """
    reader = ClusterReader(kubeconfig, context)
    document, version = read_cluster_document(reader, cache or DocumentCache())
    what = f"Kubernetes {version}" if version else "what the server can do"
    source = f"{what}, read from the cluster at {reader.host} (OpenAPI {document.openapi})"
    catalogue = Catalogue(document.operations, release=release_of(version), source=source)
    return catalogue, document.problems


def read_cluster_document(reader: ClusterReader, cache: DocumentCache) -> tuple[Document, str]:
    """Read all that a server says of its API as one document, and its version, e.g. v1.36.3."""
    try:
        version = decoder_of(_Version).decode(reader.get("/version")).version
        document = _read_v3(reader, cache) or _read_v2(reader)
    except _RefusedError as error:
        raise _no_access(reader, error) from None
    except (msgspec.DecodeError, ValueError) as error:
        raise ApisnoopError(f"{reader.host} does not answer like an API server: {error}") from None
    cache.prune()
    return document, version


def read_cluster_contents(reader: ClusterReader) -> Iterator[tuple[str, bytes | Problem]]:
    """Fetch every document as the server gives it, uncached, each with its name; a problem where that fails."""
    try:
        index = _read_index(reader)
        if index is None:
            yield "openapi/v2", reader.get("/openapi/v2")
            return
    except _RefusedError as error:
        raise _no_access(reader, error) from None
    for name, part in index.items():
        try:
            yield name, reader.get(part.url)
        except _RefusedError as error:
            yield name, Problem(f"/{name}", f"cannot be read: {error}")


def _read_v3(reader: ClusterReader, cache: DocumentCache) -> Document | None:
    """Read the document of each group and version; None where the server has no OpenAPI v3."""
    index = _read_index(reader)
    if index is None:
        return None
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        return merge_documents(list(threads.map(lambda item: _read_part(reader, cache, *item), index.items())))


def _read_index(reader: ClusterReader) -> dict[str, _GroupVersion] | None:
    try:
        return decoder_of(_Index).decode(reader.get("/openapi/v3")).paths or None
    except _RefusedError as error:
        if error.status in {404, 406}:
            return None
        raise


def _no_access(reader: ClusterReader, error: _RefusedError) -> ApisnoopError:
    denied = error.status in {401, 403}
    hint = "; see whether your user may read it: kubectl get --raw /openapi/v3" if denied else ""
    return ApisnoopError(f"cannot read the API of {reader.host}: {error}{hint}")


def _read_part(reader: ClusterReader, cache: DocumentCache, name: str, part: _GroupVersion) -> Document:
    """Read the document of one group and version; that of an aggregated API may be out of reach, the rest counts on."""
    # The hash is over the contents. Without one, nothing tells when the document changes.
    key = "".join(parse_qs(urlsplit(part.url).query).get("hash", []))
    known = cache.get(f"{name} {key}") if key else None
    if known is not None:
        return known
    try:
        document = parse_document(reader.get(part.url), name)
    except (_RefusedError, ValueError) as error:
        return Document("3.0.0", "", (), (Problem(f"/{name}", f"cannot be read: {error}"),))
    if key:
        cache.put(f"{name} {key}", document)
    return document


def _read_v2(reader: ClusterReader) -> Document:
    return parse_document(reader.get("/openapi/v2"), f"{reader.host}/openapi/v2")
