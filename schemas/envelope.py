"""What every document that a tablet writes carries."""

from __future__ import annotations

from marshmallow import INCLUDE, Schema

from schemas.fields import moment, text, whole


class Envelope(Schema):
    """Who captured this, on which tablet, and when. Members that are not known are kept."""

    class Meta:
        unknown = INCLUDE

    type = text("Type", "ប្រភេទ", "immutable", required=True)
    schema_version = whole("Form version", "កំណែទម្រង់", "latest", least=1, required=True)
    author = text("Author", "អ្នកសរសេរ", "immutable", required=True)
    device = text("Tablet", "ថេប្លេត", "latest", required=True)
    device_seq = whole("Number on the tablet", "លេខក្នុងថេប្លេត", "latest", least=0, required=True)
    captured_at = text("Captured at", "ពេលកត់ត្រា", "latest", required=True, validate=moment)
    server_offset_ms = whole("Clock difference", "គម្លាតនាឡិកា", "latest", allow_none=True)
    gazetteer = text("Gazetteer", "បញ្ជីភូមិសាស្ត្រ", "latest")
