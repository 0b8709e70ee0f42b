"""Where catalogues come from: a release inside the package, a file, a folder, a URL, or a live cluster.

Reading a cluster needs credentials and a client, which this package does not have: the caller gives a function for
that.
"""

import re
from collections.abc import Callable
from pathlib import Path

from apisnoop import __version__
from apisnoop.causes import cause_of
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
    Raises UsageError for a release that is not shipped, ApisnoopError for a source that is not there, cannot be reached
    or read.
    """
    if spec is None:
        return _load_default(server_version)
    if spec == CLUSTER:
        if read_cluster is None:
            raise UsageError("--spec cluster cannot be used here; name a release, file or URL")
        return read_cluster()
    if not spec:
        raise UsageError(f"--spec is empty; name one of {_choices()}")
    if is_url(spec):
        return catalogue_of(read_documents(spec), spec.split("/", 3)[-1], f"URL {spec}")
    release = release_of(spec)
    if release in shipped().releases:
        return shipped_catalogue(release)
    if Path(spec).exists():
        return catalogue_of(read_documents(spec), Path(spec).name, f"file {spec}")
    if release:
        raise UsageError(f"--spec {spec}: release {release} is not in this package; name one of {_choices()}")
    raise ApisnoopError(f"--spec {spec}: there is no such file, and it is no release; name one of {_choices()}")


def _choices() -> str:
    return f"{', '.join(shipped().releases)}, a file, a folder, a URL, or cluster for the server's own"


def shipped_catalogue(release: str, note: str = "") -> Catalogue:
    """Give the catalogue of a release inside the package; `note` says why it was chosen."""
    source = f"Kubernetes {release}, shipped with apisnoop {__version__}"
    return Catalogue(shipped().operations(release), release=release, source=f"{source}, {note}" if note else source)


def catalogue_of(document: Document, name: str, source: str) -> Catalogue:
    """Make the catalogue of one document; its release comes from its text, else from a name like swagger-v1.34.json."""
    if not document.operations:
        raise ApisnoopError(f"{source} describes no operation that can be used; see `apisnoop spec check`")
    release = document.release or _release_in(name)
    told = f", Kubernetes {release}" if release else ""
    return Catalogue(document.operations, release=release, source=f"{source}{told}")


def is_url(spec: str) -> bool:
    """Tell a URL from a path."""
    return spec.startswith(("http://", "https://"))


def read_documents(place: str) -> Document:
    """Read the OpenAPI documents of a file, folder or URL as one.

    Raises ApisnoopError for what cannot be reached or read.
    """
    try:
        return merge_documents([parse_document(content, name) for name, content in read_contents(place)])
    except ValueError as error:
        raise ApisnoopError(str(error)) from None


def read_contents(place: str) -> list[tuple[str, bytes]]:
    """Fetch a file, a URL, or all documents of a folder (as api/openapi-spec/v3 holds them), each with its name.

    Raises ApisnoopError for what cannot be reached.
    """
    if is_url(place):
        return [(place, _fetch(place))]
    path = Path(place)
    try:
        if not path.is_dir():
            return [(place, path.read_bytes())]
        files = sorted({file for pattern in _SUFFIXES for file in path.glob(pattern)})
        contents = [(str(file), file.read_bytes()) for file in files]
    except OSError as error:
        raise ApisnoopError(f"cannot read {place}: {cause_of(error)}; name another file, or a URL") from None
    if not contents:
        raise ApisnoopError(f"folder {place} holds no OpenAPI document ({', '.join(_SUFFIXES)}); name another one")
    return contents


def _load_default(server_version: str) -> Catalogue:
    wanted = release_of(server_version)
    if not wanted:
        return shipped_catalogue(shipped().releases[-1], "the newest; the server's own release is not known")
    nearest = nearest_release(wanted)
    is_own = nearest == wanted
    note = "the server's own release" if is_own else f"the nearest to the server's {server_version}, which is not"
    return shipped_catalogue(nearest, note)


def _fetch(url: str) -> bytes:
    # Imported here because http and ssl take their time, and most commands never need them.
    from http.client import HTTPException, InvalidURL  # noqa: PLC0415
    from urllib.request import Request, urlopen  # noqa: PLC0415

    headers = {"User-Agent": f"apisnoop/{__version__}", "Accept": "application/json, */*"}
    try:
        request = Request(url, headers=headers)  # noqa: S310 - is_url lets only http and https come here
        with urlopen(request, timeout=_TIMEOUT) as response:  # noqa: S310
            return bytes(response.read())
    except OSError as error:
        raise ApisnoopError(f"cannot read {url}: {cause_of(error)}; check the address, or name a file") from None
    except (InvalidURL, ValueError):
        raise ApisnoopError(f"cannot read {url}: it is no valid URL; correct it, or name a file") from None
    except HTTPException:
        raise ApisnoopError(f"cannot read {url}: what answers there speaks no HTTP; check the address") from None


def _release_in(name: str) -> str:
    found = re.search(r"(?<![\d.])(1\.\d+)", name)
    return found[1] if found else ""
