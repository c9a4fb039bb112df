"""What real clients sent and the server answered, as lines of JSON, to be played again.

`python -m tests.conformance.transcripts.record` makes them anew from real tablets.
"""
