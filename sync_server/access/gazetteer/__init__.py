"""The gazetteer: provinces, districts, communes and villages, by their codes.

sources.py ── rows ──► cleaning.py ── units ──► importing.py ──► table ──► places.py
a file or the package   what is wrong with       all in one                what the service
                        each row                 transaction               asks of it
"""

from sync_server.access.gazetteer.places import Edition, Gazetteer, Place

__all__ = ["Edition", "Gazetteer", "Place"]
