"""What was called: the call record, its caller, tallies of calls, and readers of audit logs, HAR and other recordings.

Belongs here: turning foreign records into calls and tallies, in memory. Does not belong here: keeping them (store).
"""
