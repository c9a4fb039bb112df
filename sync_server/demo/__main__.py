"""`python -m sync_server.demo <folder with node_modules>`: play the story, exit 0 if all held."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import click

from sync_server.demo.node import NodeMissing, ensure_modules, program
from sync_server.demo.service import Service, ServiceFailed
from sync_server.demo.story import Story
from sync_server.demo.tablet import TabletError, TabletHost
from sync_server.demo.telling import Telling


@click.command()
@click.argument("modules", type=click.Path(path_type=Path, exists=True, file_okay=False))
def main(modules: Path) -> None:
    """Three tablets, a service and a coordinator, for real, on a temporary folder."""
    telling = Telling()
    try:
        play(modules, telling)
    except (NodeMissing, ServiceFailed, TabletError, TimeoutError) as error:
        telling.expect(False, str(error))
    sys.exit(telling.end())


def play(modules: Path, telling: Telling) -> None:
    node = program("node")
    ensure_modules(modules)
    with (
        tempfile.TemporaryDirectory(prefix="demo-") as folder,
        Service(Path(folder)) as service,
        TabletHost(modules, node) as host,
    ):
        Story(service, host, telling).play()


if __name__ == "__main__":
    main()
