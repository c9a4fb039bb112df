"""The demonstration: three real tablets, a server, and a day of work between them."""
