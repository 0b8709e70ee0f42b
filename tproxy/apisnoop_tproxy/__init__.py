"""The node agent: leads API connections of pods that ask for it to the node's proxy, and lets them go again.

It decides and is privileged; the proxy carries connections and is not. Here belongs what touches network namespaces
and netfilter, and what it takes to know when. What is inside a connection does not.
"""
