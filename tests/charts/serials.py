"""Serial numbers of certificates, hexadecimal, by which a client tells who has answered: a proxy, or the API server."""

import base64
import json
import ssl
from urllib.parse import urlsplit

from cryptography import x509

CERTIFICATE = "apisnoop-certificate"
"""The Secret with the proxies' certificate; the verdict, a ConfigMap, is called the same."""


def of_the_api_server(cluster):
    """Ask the API server itself."""
    address = urlsplit(cluster.apiserver_url)
    return serial(ssl.get_server_certificate((address.hostname, address.port)))


def of_the_proxies(installed):
    """Read what the proxies are to show."""
    data = json.loads(installed.kubectl("get", "secret", CERTIFICATE, "-o", "json"))["data"]
    return serial(base64.b64decode(data["tls.crt"]).decode())


def serial(pem):
    """Give the serial number of the first certificate."""
    return f"{x509.load_pem_x509_certificates(pem.encode())[0].serial_number:x}"
