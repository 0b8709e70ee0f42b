"""The vendored chart library."""

import hashlib
import re
from importlib.resources import files

VENDOR = files("apisnoop.reports.html") / "vendor"
LIBRARY = (VENDOR / "echarts-sunburst.min.js").read_bytes()


def test_the_library_is_the_one_that_the_readme_tells_how_to_make():
    """The sha256 in the README is that of the file."""
    assert hashlib.sha256(LIBRARY).hexdigest() in (VENDOR / "README.md").read_text()


def test_versions_agree_and_licences_lie_beside_it():
    """The banner's version is the README's, and each part has its licence."""
    readme = (VENDOR / "README.md").read_text()
    version = re.search(rb"Apache ECharts (\S+)", LIBRARY)[1].decode()
    assert f"echarts@{version} " in readme
    for name in re.findall(r"`((?:LICENSE|NOTICE)[\w-]*)`", readme):
        assert (VENDOR / name).read_text().strip(), name
    assert "Apache License" in (VENDOR / "LICENSE").read_text()


def test_the_library_fits_into_a_page_and_asks_for_nothing():
    """It cannot end its own element, and the only addresses in it are names of XML."""
    text = LIBRARY.decode()
    assert not re.search(r"</script|<!--", text, re.IGNORECASE)
    addresses = set(re.findall(r"https?://([\w.-]+)", text))
    assert addresses == {"www.w3.org"}
    assert not re.search(r"XMLHttpRequest|fetch\(|WebSocket|sendBeacon|importScripts", text)
