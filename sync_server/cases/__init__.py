"""Cases: conflicts that a person must settle, from opening to undoing.

A case is about one document and the set of leaves it was opened for. What the leaves said stays
in the case, whatever becomes of the revisions; so do the decisions.
"""
