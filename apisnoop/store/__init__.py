"""Where tallies are kept: one SQLite file that any SQLite tool can read.

Belongs here: schema, migration, adding, merging, querying. Does not belong here: what the numbers mean (coverage).
"""
