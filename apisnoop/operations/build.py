"""Writing the catalogues inside the package: `python -m apisnoop.operations.build`, called by scripts/build-catalogue.

Only for those who work on apisnoop; nothing else imports it.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from apisnoop.operations.operation import Operation
from apisnoop.operations.shipped import SHIPPED_FILE, combine, decode_shipped, encode_shipped, release_key
from apisnoop.operations.source import read_documents


def main(arguments: Sequence[str] | None = None) -> int:
    """Build the file and print the totals of each release."""
    options = _parse(arguments)
    releases = {} if options.only else _kept(options.output)
    for release, path in options.documents:
        document = read_documents(path)
        for problem in document.problems:
            print(f"{release}: {problem.where} {problem.what}", file=sys.stderr)
        releases[release] = list(document.operations)
    options.output.write_bytes(encode_shipped(combine(releases)))
    for release in sorted(releases, key=release_key):
        current = sum(not operation.deprecated for operation in releases[release])
        print(f"{release}  {len(releases[release])} operations, {current} not deprecated")
    return 0


def _kept(path: Path) -> dict[str, list[Operation]]:
    if not path.exists():
        return {}
    shipped = decode_shipped(path.read_bytes())
    return {release: shipped.operations(release) for release in shipped.releases}


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="build-catalogue",
        description="Write the catalogues inside the package from OpenAPI documents of Kubernetes.",
        epilog="Releases that are in the package already stay unless --only is given.",
    )
    parser.add_argument(
        "documents",
        metavar="RELEASE=DOCUMENT",
        nargs="+",
        type=_release_and_path,
        help="a release (1.34) and its api/openapi-spec/swagger.json, or the folder of its v3 documents",
    )
    parser.add_argument("--only", action="store_true", help="drop the releases that are in the package now")
    parser.add_argument("--output", type=Path, default=SHIPPED_FILE, help="the file to write (default: in the package)")
    return parser.parse_args(arguments)


def _release_and_path(argument: str) -> tuple[str, str]:
    release, _, path = argument.partition("=")
    try:
        release_key(release)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{argument!r} does not begin with a release like 1.34=") from None
    if not path or not Path(path).exists():
        raise argparse.ArgumentTypeError(f"{path!r} in {argument!r} does not exist")
    return release, path


if __name__ == "__main__":
    sys.exit(main())
