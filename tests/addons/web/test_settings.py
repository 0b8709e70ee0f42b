"""The viewer's settings."""

from pathlib import Path

import pytest

from apisnoop.errors import UsageError
from apisnoop_addons.web.settings import Settings, settings_from


def test_what_is_not_set_keeps_its_default():
    """An empty variable is one that is not set."""
    assert settings_from({}) == settings_from({"APISNOOP_UI_FLOWS": "", "APISNOOP_UI_LISTEN": ""}) == Settings()


def test_everything_can_be_set():
    """By the environment of the container."""
    assert settings_from(
        {
            "APISNOOP_UI_FEED": "/feed",
            "APISNOOP_UI_LISTEN": "[::1]:9",
            "APISNOOP_UI_PASSWORD_HASH": "/hash",
            "APISNOOP_UI_FLOWS": "3",
            "APISNOOP_UI_BYTES": "4",
            "NODE_NAME": "n",
        }
    ) == Settings(feed=Path("/feed"), listen=("::1", 9), password_hash=Path("/hash"), flows=3, size=4, node="n")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("APISNOOP_UI_LISTEN", "0.0.0.0:8081"),
        ("APISNOOP_UI_LISTEN", "127.0.0.1:0"),
        ("APISNOOP_UI_LISTEN", "127.0.0.1"),
        ("APISNOOP_UI_FLOWS", "0"),
        ("APISNOOP_UI_BYTES", "64Mi"),
    ],
)
def test_nonsense_is_told_with_its_name(variable, value):
    """A viewer for everybody on the network above all."""
    with pytest.raises(UsageError, match=f"{variable}={value} is no"):
        settings_from({variable: value})
