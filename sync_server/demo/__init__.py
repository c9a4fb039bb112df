"""The demonstration: two real tablets, a server, and a day of work between them."""
