"""Scheduled jobs, run by the worker process alone."""

from sync_server.jobs.scheduler import start_scheduler

__all__ = ["start_scheduler"]
