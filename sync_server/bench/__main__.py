"""`python -m sync_server.bench` is the command `scripts/bench`."""

from sync_server.bench.command import main

main(prog_name="scripts/bench")
