"""Bringing recordings into a store: once each, whatever happens on the way, and continuing where the last time ended.

Belongs here: how far an input was read, committing that together with its tallies, following a growing file. Does not
belong here: what a line means (calls), what the user sees (cli).
"""
