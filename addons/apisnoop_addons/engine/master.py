"""The lean master: the addons that are wanted, mitmproxy's options for them, and nothing else.

mitmproxy's own Master brings a log bridge, a command line and a run loop that starts its servers; here the proxy's
listeners and the caller's event loop take their place. Addons written for mitmproxy find their options in
`mitmproxy.ctx`; commands they declare are accepted and can be called by nobody.
"""

from mitmproxy import ctx, hooks
from mitmproxy.addonmanager import AddonManager
from mitmproxy.options import Options

from apisnoop_addons.engine.hooks import Hooks


class Master:
    """Owns the addons, in the order given. One per process: mitmproxy's `ctx` is global."""

    def __init__(self, *addons: object) -> None:
        self.options = Options()
        self.commands = NoCommands()
        self.addons = AddonManager(self)  # type: ignore[no-untyped-call]
        self.hooks = Hooks(self.addons)
        ctx.master = self  # type: ignore[assignment]  # addons use its options and addons only
        ctx.options = self.options
        self.addons.add(*addons)  # type: ignore[no-untyped-call]

    async def start(self) -> None:
        """Tell the addons that all options have been set, and that the proxy runs."""
        await self.hooks.finish(hooks.ConfigureHook(set(self.options.keys())))  # type: ignore[no-untyped-call]
        await self.hooks.finish(hooks.RunningHook())  # type: ignore[no-untyped-call]

    async def stop(self) -> None:
        """Tell the addons that nothing more will come."""
        await self.hooks.finish(hooks.DoneHook())  # type: ignore[no-untyped-call]


class NoCommands:
    """Takes the place of mitmproxy's command manager."""

    def collect_commands(self, addon: object) -> None:
        """Ignore what commands an addon declares."""
