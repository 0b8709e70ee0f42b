"""An addon that notes which hooks it hears."""

import asyncio


class Watcher:
    """Notes each hook with its flow's path; hooks of connections have none."""

    def __init__(self):
        self.heard = []
        self._more = asyncio.Event()

    def _note(self, name, path=""):
        self.heard.append((name, path))
        self._more.set()

    def requestheaders(self, flow):
        self._note("requestheaders", flow.request.path)

    def request(self, flow):
        self._note("request", flow.request.path)

    def responseheaders(self, flow):
        self._note("responseheaders", flow.request.path)

    def response(self, flow):
        self._note("response", flow.request.path)

    def error(self, flow):
        self._note("error", flow.request.path)

    def client_connected(self, _client):
        self._note("client_connected")

    def client_disconnected(self, _client):
        self._note("client_disconnected")

    def server_connect(self, _data):
        self._note("server_connect")

    def server_connected(self, _data):
        self._note("server_connected")

    def server_connect_error(self, _data):
        self._note("server_connect_error")

    def server_disconnected(self, _data):
        self._note("server_disconnected")

    def tls_clienthello(self, _data):
        self._note("tls_clienthello")

    def tls_established_client(self, _data):
        self._note("tls_established_client")

    def tls_established_server(self, _data):
        self._note("tls_established_server")

    def of(self, path=""):
        """List the hooks of one path's flows, or of connections."""
        return [name for name, heard in self.heard if heard == path]

    async def hears(self, name, times=1):
        """Wait for a hook."""
        while [heard for heard, _ in self.heard].count(name) < times:
            self._more.clear()
            await self._more.wait()
