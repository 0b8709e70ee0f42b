"""Why something failed, in words."""

import errno
import socket
import ssl
import urllib.error
from email.message import Message
from pathlib import Path

import pytest
import urllib3
import yaml

from apisnoop.causes import cause_of, printable


def caught(action) -> Exception:
    """Give what an action raises."""
    with pytest.raises(Exception) as raised:  # noqa: PT011 - the point is which
        action()
    return raised.value


def test_the_system_speaks_without_number_and_name(tmp_path):
    """The caller names the file itself, and knows better what it is."""
    assert cause_of(caught(lambda: Path(tmp_path / "missing").read_bytes())) == "No such file or directory"
    assert cause_of(caught(tmp_path.read_bytes)) == "it is a folder"
    (tmp_path / "file").touch()
    assert cause_of(caught((tmp_path / "file" / "in it").read_bytes)) == "a part of its path is no folder"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed ('127.0.0.1', 1)"), "Connection refused"),
        (OSError(-2, "Name or service not known"), "Name or service not known"),
        (TimeoutError(), "timed out"),
        (urllib.error.URLError(ConnectionResetError(errno.ECONNRESET, "x")), "Connection reset by peer"),
        (urllib.error.URLError("no host given"), "no host given"),
        (urllib.error.HTTPError("http://h/", 404, "Not Found", Message(), None), "the server answered 404 Not Found"),
        (ValueError("two\n lines"), "two lines"),
        (KeyError(), "KeyError"),
    ],
)
def test_the_innermost_cause_is_told_in_one_line(error, words):
    """Whatever a client has wrapped it in."""
    assert cause_of(error) == words


def test_a_chain_is_followed_to_what_the_system_said():
    """As urllib3 leaves it."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    error = caught(lambda: urllib3.PoolManager().request("GET", f"http://127.0.0.1:{port}", retries=False))
    assert cause_of(error) == "Connection refused"


def test_a_system_error_is_not_looked_behind():
    """What was tried before it has nothing to do with it."""

    def second() -> None:
        try:
            Path("/missing/first").stat()
        except OSError:
            Path("/proc/1/cmdline/in it").read_bytes()

    assert cause_of(caught(second)) == "a part of its path is no folder"


def test_tls_is_told_in_words():
    """Without the library's file names and capitals."""
    unverified = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] (_ssl.c:1)")
    unverified.verify_message = "certificate has expired"
    assert cause_of(unverified) == "its certificate cannot be verified: certificate has expired"
    outgoing, incoming = ssl.MemoryBIO(), ssl.MemoryBIO()
    incoming.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    secured = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="h")
    assert cause_of(caught(secured.do_handshake)) == "TLS failed: wrong version number"


def test_a_number_of_tls_is_not_taken_for_one_of_the_system():
    """OpenSSL's 8 is the end of a connection, and the system's a program that cannot be executed."""
    ended = ssl.SSLEOFError(ssl.SSL_ERROR_EOF, "EOF occurred in violation of protocol (_ssl.c:1000)")
    assert cause_of(ended) == "TLS failed: EOF occurred in violation of protocol"


def test_parsers_are_told_in_words():
    """Of YAML the line, of what is no text only that."""
    assert cause_of(caught(lambda: yaml.safe_load("a:\n- [1"))).startswith("expected ',' or ']'")
    assert cause_of(caught(lambda: yaml.safe_load("a:\n- [1"))).endswith("in line 2")
    assert cause_of(caught(b"\xff".decode)) == "it is no UTF-8 text"


def test_a_message_stays_on_one_line():
    """Whatever a name holds; what can be printed stays as it is."""
    assert printable("store a\nb\x1b[31m é 字") == "store a\\nb\\x1b[31m é 字"
