"""The scheduler: which job runs when. A job is a thin call of a service function."""

from __future__ import annotations

from datetime import UTC

from apscheduler.schedulers.background import BackgroundScheduler

from sync_server.jobs.case_decisions import case_decisions
from sync_server.jobs.compaction import HOUR_UTC, compact_databases
from sync_server.jobs.location_survey import location_survey
from sync_server.jobs.quarantine_sweep import quarantine_sweep
from sync_server.jobs.resolve_sweep import resolve_sweep
from sync_server.parts import Parts

CASE_DECISIONS_SECONDS = 5
SURVEY_SECONDS = 30
"""How often the gazetteer is looked at; nothing is read where it is the same."""


def start_scheduler(parts: Parts) -> BackgroundScheduler:
    """Start the jobs; a run that is late is made up for once, and none overlaps itself."""
    scheduler = BackgroundScheduler(
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
    )
    sweep_seconds = parts.settings.resolve_sweep_seconds
    for job, name, seconds in (
        (resolve_sweep, "resolve-sweep", sweep_seconds),
        (quarantine_sweep, "quarantine-sweep", sweep_seconds),
        (location_survey, "location-survey", SURVEY_SECONDS),
    ):
        scheduler.add_job(job, "interval", seconds=seconds, args=(parts,), id=name)
    scheduler.add_job(
        compact_databases, "cron", hour=HOUR_UTC, timezone=UTC, args=(parts,), id="compaction"
    )
    scheduler.add_job(
        case_decisions,
        "interval",
        seconds=CASE_DECISIONS_SECONDS,
        args=(parts,),
        id="case-decisions",
    )
    scheduler.start()
    return scheduler
