"""The node agents of a cluster taken together: whom they record, how they are, and what is wrong with them.

Belongs here: what follows from objects of the API and from the nodes' answers. Does not belong here: asking for them
(`apisnoop.cli`), what one node tells another process of its own (`apisnoop.node`), and how it is shown.
"""
