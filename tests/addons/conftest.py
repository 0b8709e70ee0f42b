"""mitmproxy and its libraries use names that their libraries call old, said at import; that is not ours to mend."""

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import mitmproxy.addons
    import mitmproxy.flowfilter  # noqa: F401 - imported here for its warnings alone
