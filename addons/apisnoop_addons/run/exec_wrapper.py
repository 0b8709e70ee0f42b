"""Stands in for a credential plugin in the temporary kubeconfig: runs it, and keeps a client certificate it returns.

A program of its own, started by the client as `python -I -S exec_wrapper.py FOLDER COMMAND [ARG...]`, so it imports
nothing of this project, and of the library only what the case needs: every start of a client waits for it. The
plugin keeps its terminal, its input, its error output and its exit code, and its answer goes to the client
unchanged.

The proxy needs the key of a certificate that the client shows it, to show the same certificate to the API server; a
plugin that returns tokens leaves nothing behind. FOLDER is where a certificate and its key are kept, and
FOLDER/clusters.json gives for each address of the proxy the `spec.cluster` that the plugin would see without us.
"""

# ruff: noqa: PLC0415, PTH105, PTH123 - what is imported, and when, is the point of this file

import os
import sys

_EXEC_INFO = "KUBERNETES_EXEC_INFO"
CLUSTERS = "clusters.json"


def main(arguments: list[str]) -> int:
    """Run the plugin and return its exit code, 128 + n where signal n ended it."""
    folder, command = arguments[0], arguments[1:]
    info = os.environ.get(_EXEC_INFO, "")
    if '"cluster"' in info:
        os.environ[_EXEC_INFO] = original_info(info, f"{folder}/{CLUSTERS}")
    code, output = run_plugin(command)
    if b"clientCertificateData" in output:
        keep_certificate(output, folder)
    sys.stdout.buffer.write(output)
    sys.stdout.flush()
    return code


def original_info(info: str, clusters: str) -> str:
    """Put the real cluster in the place of the proxy's address, where the client says which cluster it is."""
    import json

    try:
        with open(clusters, encoding="utf-8") as file:
            originals = json.load(file)
        credential = json.loads(info)
        shown = credential["spec"]["cluster"]
        original = originals[address_of(shown["server"])]
    except (ValueError, KeyError, TypeError, AttributeError):
        return info
    # The configuration is the entry's own extension, which the temporary kubeconfig keeps.
    kept = {key: value for key, value in shown.items() if key == "config"}
    credential["spec"]["cluster"] = {**original, **kept}
    return json.dumps(credential, separators=(",", ":"))


def address_of(server: str) -> str:
    """Return host:port of a URL."""
    return server.partition("://")[2].partition("/")[0]


def run_plugin(command: list[str]) -> tuple[int, bytes]:
    """Run `command` with our input and error output; return its exit code and what it printed."""
    read_end, write_end = os.pipe()
    try:
        # Not subprocess: importing it takes longer than starting the plugin.
        plugin = os.posix_spawnp(command[0], command, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, write_end, 1)])
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        return 127 if isinstance(error, FileNotFoundError) else 126, b""
    os.close(write_end)
    with open(read_end, "rb") as output:
        printed = output.read()
    status = os.waitstatus_to_exitcode(os.waitpid(plugin, 0)[1])
    return (status if status >= 0 else 128 - status), printed


def keep_certificate(output: bytes, folder: str) -> None:
    """Keep the certificate and key of an ExecCredential as FOLDER/<SHA-256 of the certificate>.crt and .key, mode
    0600."""
    import json

    try:
        status = json.loads(output)["status"]
        certificate, key = status["clientCertificateData"], status["clientKeyData"]
        path = f"{folder}/{fingerprint(certificate)}"
        write_private(f"{path}.key", key)
        # The certificate last: where there is one, there is its key.
        write_private(f"{path}.crt", certificate)
    except (ValueError, KeyError, TypeError, AttributeError):
        pass  # no certificate with a key; the client says what is wrong with it


def write_private(path: str, text: str) -> None:
    """Write a file of mode 0600, whole or not at all."""
    content, partial = text.encode(), f"{path}.{os.getpid()}"
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    os.replace(partial, path)


def fingerprint(pem: str) -> str:
    """Return the SHA-256 of the first certificate of a PEM text. Raises ValueError where there is none."""
    import binascii
    import hashlib

    _, begin, rest = pem.partition("-----BEGIN CERTIFICATE-----")
    body, end, _ = rest.partition("-----END CERTIFICATE-----")
    if not begin or not end:
        raise ValueError("no PEM certificate")
    return hashlib.sha256(binascii.a2b_base64(body)).hexdigest()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
