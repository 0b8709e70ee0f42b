"""Where recordings come from: files, folders and standard input, compressed or not, and which kind each is.

Belongs here: opening, decompressing, cutting into lines, recognising. Does not belong here: what a line means (audit,
har) and how far a file was read (store).
"""
