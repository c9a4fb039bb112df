"""`python -m sync_server` is the command `sync-server`."""

from sync_server.cli import main

main(prog_name="sync-server")
