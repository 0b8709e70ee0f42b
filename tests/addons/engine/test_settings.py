"""The settings that stand in for mitmproxy's options."""

import re
from dataclasses import fields
from pathlib import Path

from mitmproxy.proxy import layers

from apisnoop_addons.engine.settings import LayerSettings

ASKED = re.compile(r"context\.options\.(\w+)")


def test_the_layers_ask_for_nothing_that_the_settings_lack():
    """A new mitmproxy with a new option would otherwise fail at the first call that needs it."""
    folder = Path(layers.__file__).parent
    sources = [*(folder / "http").glob("*.py"), folder / "tls.py", folder / "tcp.py"]
    asked = {name for source in sources for name in ASKED.findall(source.read_text())}
    known = {field.name for field in fields(LayerSettings)}
    assert asked
    assert asked <= known
