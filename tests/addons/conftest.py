"""mitmproxy's filters use names that pyparsing calls old, which it says at import; that is nothing for us to mend."""

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import mitmproxy.flowfilter  # noqa: F401 - imported here for its warnings alone
