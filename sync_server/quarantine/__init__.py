"""Quarantine: a write that its author had no right to make is kept until an admin settles it.

A stock client is told `forbidden` once, goes on, and never sends the document again: so whatever is
refused is on disk before the client is told, and its author learns of it by a notice.
"""
