"""Every setting of the service: name, default, meaning.

A setting is read from the environment variable of its name in capitals, after `SYNC_SERVER_`:
`SYNC_SERVER_WEB_WORKERS=4` sets `web_workers`. Lists are separated by commas. `docs/operations.md`
describes each of them to whoever runs the service.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields
from ipaddress import ip_network
from pathlib import Path
from typing import Any

ENVIRONMENT_PREFIX = "SYNC_SERVER_"

_KIB = 1024
_MIB = 1024 * 1024

DEEPEST_JSON = 240
"""Levels of nesting that can be read and written at all, with those of a request around them."""


class InvalidSetting(ValueError):
    """A setting in the environment that cannot be used; the message says which and why."""


def _setting(default: Any, help_text: str) -> Any:
    return field(default=default, metadata={"help": help_text})


@dataclass(frozen=True, slots=True)
class Settings:
    """What a deployer may choose; nothing here changes while the service runs."""

    data_dir: Path = _setting(
        Path("data"), "Folder of the databases, the service's own database and its state."
    )
    bind: str = _setting(
        "127.0.0.1:5984", "Address and port to listen on; port 0 takes a free one."
    )
    web_workers: int = _setting(2, "Processes that answer requests.")
    programme_databases: tuple[str, ...] = _setting(
        ("rushit",), "Databases that intake follows; made at the first start."
    )
    resolve_sweep_seconds: int = _setting(
        300, "Seconds between two looks at conflicts and reviews that intake left behind."
    )
    stale_tablet_days: int = _setting(
        400, "Days after which compaction no longer waits for a tablet that stays away."
    )
    database_url: str = _setting(
        "",
        "SQLAlchemy address of the service's own database (accounts, ledger); "
        "empty: service.db in data_dir.",
    )
    max_request_bytes: int = _setting(64 * _MIB, "Largest request body as sent.")
    max_inflated_bytes: int = _setting(128 * _MIB, "Largest request body once unpacked from gzip.")
    max_inflation: int = _setting(100, "Times that a gzip request body may grow, from 1 MiB on.")
    max_batch_documents: int = _setting(10_000, "Documents, or ids, in one bulk request.")
    max_document_bytes: int = _setting(8 * _MIB, "Largest document, its attachments not counted.")
    max_attachment_bytes: int = _setting(32 * _MIB, "Largest attachment.")
    max_attachments: int = _setting(100, "Attachments of one document.")
    max_json_depth: int = _setting(
        100, "Levels of arrays and objects in one another, the document being the first."
    )
    max_revisions: int = _setting(5_000, "Revision ids that a document may bring in `_revisions`.")
    max_generation_jump: int = _setting(
        1_000,
        "How far the generation of a pushed revision may be above the highest known of its "
        "document; what is above goes to quarantine.",
    )
    max_live_leaves: int = _setting(50, "Live leaves of one document: edits that contradict.")
    max_leaves: int = _setting(1_000, "Leaves of one document, deleted ones counted.")
    max_local_documents: int = _setting(
        1_000, "Local documents that a device keeps in one database; the oldest go."
    )
    max_local_bytes: int = _setting(256 * _KIB, "Largest local document.")
    max_device_feeds: int = _setting(
        8, "Feeds that a device has open in one web process; the oldest ends."
    )
    max_device_requests: int = _setting(
        32, "Requests of a device that one web process holds at once, feeds not counted."
    )
    max_device_requests_per_minute: int = _setting(
        6_000, "Requests of a device that one web process answers in a minute."
    )
    device_turns: int = _setting(
        2, "Of these, how many are worked on at once; the others wait for their turn."
    )
    device_documents_warning: int = _setting(
        20_000, "Revisions written by one device from which on the log warns of it."
    )
    max_device_documents: int = _setting(
        100_000, "Revisions that one device may write; admins and replicators are free."
    )
    max_device_documents_per_day: int = _setting(
        20_000, "Of these, in one day, which begins at 0:00 UTC."
    )
    lost_connection_seconds: int = _setting(
        120, "After how long a connection whose other end no longer answers is given up."
    )
    grant_grace_seconds: int = _setting(
        30 * 86_400,
        "How long after its end a grant still takes what was captured before its end.",
    )
    max_quarantine_bytes: int = _setting(
        1024 * _MIB,
        "What of one account may wait in quarantine, in bytes; above it its pushes are refused "
        "whole.",
    )
    stalled_body_seconds: int = _setting(
        120, "How long a client may pause while it sends a request's body."
    )
    cors_origins: tuple[str, ...] = _setting(
        (), "Web origins whose pages may talk to this server, e.g. https://tablet.example.org."
    )
    trusted_proxies: tuple[str, ...] = _setting(
        (),
        "Addresses or networks of the reverse proxies in front, whose X-Forwarded-For tells where "
        "a request comes from, e.g. 127.0.0.1,10.0.0.0/8.",
    )
    public_url: str = _setting(
        "",
        "Address under which tablets reach the service, e.g. https://sync.example.org; "
        "empty: as the request names it, or http and `bind`.",
    )
    session_seconds: int = _setting(86_400, "How long a session cookie is good for.")
    longpoll_max_seconds: int = _setting(
        3_600, "Longest wait of a longpoll or silent continuous feed, in seconds."
    )
    secure_cookies: bool = _setting(
        False, "Mark session cookies Secure; switch on where TLS stands in front."
    )
    public_metrics: bool = _setting(True, "Answer /metrics to anyone; off: to admins only.")
    log_format: str = _setting("json", "`json` for one object per line, `console` for people.")
    log_level: str = _setting(
        "info", "`debug`, `info`, `warning` or `error`; request lines are `info`."
    )
    stop_seconds: float = _setting(
        3.0, "How long requests under way may take to finish when the service stops."
    )
    compress_responses: bool = _setting(
        True, "Compress answers for clients that accept zstd, br or gzip."
    )

    def __post_init__(self) -> None:
        _require(self.web_workers >= 1, "web_workers", "at least 1")
        _require(self.stale_tablet_days >= 1, "stale_tablet_days", "at least 1")
        _require(self.log_format in {"json", "console"}, "log_format", "json or console")
        levels = {"debug", "info", "warning", "error"}
        _require(self.log_level in levels, "log_level", "debug, info, warning or error")
        _require(bool(split_bind(self.bind)[0]), "bind", "address:port")
        _require("*" not in self.cors_origins, "cors_origins", "named origins, never *")
        known = all(_is_network(name) for name in self.trusted_proxies)
        _require(known, "trusted_proxies", "addresses or networks, e.g. 10.0.0.0/8")
        is_url = self.public_url.startswith(("http://", "https://"))
        _require(is_url or not self.public_url, "public_url", "an http or https address")
        for name in _LIMITS:
            _require(getattr(self, name) >= 1, name, "at least 1")
        _require(self.max_json_depth <= DEEPEST_JSON, "max_json_depth", f"at most {DEEPEST_JSON}")

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Settings from `SYNC_SERVER_…` variables. Raises InvalidSetting."""
        environ = os.environ if environ is None else environ
        values: dict[str, Any] = {}
        for setting in fields(cls):
            raw = environ.get(environment_name(setting))
            if raw is not None:
                values[setting.name] = _parse(setting, raw)
        return cls(**values)

    def as_environment(self) -> dict[str, str]:
        """The variables that make `from_environment` give these settings again."""
        return {
            environment_name(setting): _written(getattr(self, setting.name))
            for setting in fields(self)
        }

    @property
    def sql_url(self) -> str:
        """SQLAlchemy address of the service's own database."""
        return self.database_url or f"sqlite:///{self.data_dir.absolute() / 'service.db'}"

    @property
    def databases_dir(self) -> Path:
        """Where the embedded engine keeps its databases."""
        return self.data_dir / "databases"


_LIMITS = tuple(
    setting.name
    for setting in fields(Settings)
    if setting.name.startswith(("max_", "device_")) or setting.name == "lost_connection_seconds"
)


def environment_name(setting: Field[Any]) -> str:
    return ENVIRONMENT_PREFIX + setting.name.upper()


def split_bind(bind: str) -> tuple[str, int]:
    """`127.0.0.1:5984`, `[::1]:5984` → host and port. Raises InvalidSetting."""
    host, _, port = bind.rpartition(":")
    if not port.isdecimal() or int(port) > 65_535:
        raise InvalidSetting(f"bind must be address:port, not {bind!r}")
    return host.strip("[]") or "0.0.0.0", int(port)


def _is_network(name: str) -> bool:
    try:
        ip_network(name)
    except ValueError:
        return False
    return True


def _require(condition: bool, name: str, wanted: str) -> None:
    if not condition:
        raise InvalidSetting(f"{ENVIRONMENT_PREFIX}{name.upper()} must be {wanted}")


def _boolean(raw: str) -> bool:
    return {"1": True, "true": True, "yes": True, "on": True}.get(raw.lower()) or {
        "0": False,
        "false": False,
        "no": False,
        "off": False,
    }[raw.lower()]


def _names(raw: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in raw.split(",") if name.strip())


_PARSERS: dict[type, Callable[[str], Any]] = {
    bool: _boolean,
    int: int,
    float: float,
    str: str,
    tuple: _names,
}


def _parse(setting: Field[Any], raw: str) -> Any:
    parser = Path if isinstance(setting.default, Path) else _PARSERS[type(setting.default)]
    try:
        return parser(raw)
    except (ValueError, KeyError):
        kind = type(setting.default).__name__
        raise InvalidSetting(
            f"{environment_name(setting)} must be of kind {kind}: {raw!r}"
        ) from None


def _written(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)
