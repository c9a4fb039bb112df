"""A server that field tablets replicate with."""

__version__ = "0.1.0"
