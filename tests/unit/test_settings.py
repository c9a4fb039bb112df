"""Settings come from the environment, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from sync_server.settings import InvalidSetting, Settings, split_bind


def test_an_empty_environment_gives_the_defaults() -> None:
    assert Settings.from_environment({}) == Settings()


def test_each_setting_is_read_by_its_name_in_capitals() -> None:
    settings = Settings.from_environment(
        {
            "SYNC_SERVER_DATA_DIR": "/srv/data",
            "SYNC_SERVER_WEB_WORKERS": "4",
            "SYNC_SERVER_CORS_ORIGINS": "https://a.example, https://b.example",
            "SYNC_SERVER_PUBLIC_METRICS": "off",
            "SYNC_SERVER_STOP_SECONDS": "0.5",
        }
    )
    assert settings.data_dir == Path("/srv/data")
    assert settings.web_workers == 4
    assert settings.cors_origins == ("https://a.example", "https://b.example")
    assert settings.public_metrics is False
    assert settings.stop_seconds == 0.5


def test_settings_written_as_an_environment_read_back_the_same() -> None:
    settings = Settings(
        data_dir=Path("elsewhere"), cors_origins=("https://a.example",), public_metrics=False
    )
    assert Settings.from_environment(settings.as_environment()) == settings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WEB_WORKERS", "many"),
        ("WEB_WORKERS", "0"),
        ("PUBLIC_METRICS", "perhaps"),
        ("LOG_FORMAT", "xml"),
        ("LOG_LEVEL", "loud"),
        ("BIND", "localhost"),
        ("BIND", "localhost:99999"),
        ("CORS_ORIGINS", "*"),
        ("TRUSTED_PROXIES", "10.0.0.0/8,nginx"),
        ("TRUSTED_PROXIES", "10.0.0.1/8"),
        ("PUBLIC_URL", "sync.example.org"),
        ("MAX_DOCUMENT_BYTES", "0"),
        ("MAX_LIVE_LEAVES", "0"),
        ("DEVICE_TURNS", "-1"),
        ("LOST_CONNECTION_SECONDS", "0"),
        ("MAX_JSON_DEPTH", "241"),
    ],
)
def test_an_impossible_setting_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(InvalidSetting, match=f"(?i){name}"):
        Settings.from_environment({f"SYNC_SERVER_{name}": value})


@pytest.mark.parametrize(
    ("bind", "parts"),
    [
        ("127.0.0.1:5984", ("127.0.0.1", 5984)),
        (":0", ("0.0.0.0", 0)),
        ("[::1]:80", ("::1", 80)),
    ],
)
def test_an_address_to_listen_on_splits_into_host_and_port(
    bind: str, parts: tuple[str, int]
) -> None:
    assert split_bind(bind) == parts


def test_the_services_database_stands_in_the_data_folder_unless_named() -> None:
    assert Settings(data_dir=Path("/srv")).sql_url == "sqlite:////srv/service.db"
    assert Settings(database_url="postgresql+psycopg://h/d").sql_url.startswith("postgresql")
