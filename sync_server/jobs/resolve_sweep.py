"""Looks again at what the intake left: open conflicts, cases, and reviews not published."""

from __future__ import annotations

from sync_server.errors import NotFound
from sync_server.intake.case_sweep import sweep_cases
from sync_server.intake.pipeline import sweep
from sync_server.parts import Parts
from sync_server.workflow.publish import publish_all


def resolve_sweep(parts: Parts) -> int:
    """Answers how many conflicted documents were looked at."""
    present = []
    for name in parts.settings.programme_databases:
        try:
            publish_all(parts.sql, parts.store.database(name))
            sweep_cases(parts.store, parts.sql, name, places=parts.gazetteer, metrics=parts.metrics)
        except NotFound:
            continue
        present.append(name)
    return sweep(parts.store, parts.sql, present, places=parts.gazetteer, metrics=parts.metrics)
