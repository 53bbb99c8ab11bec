"""What a deployment sets: the page lists all of it, an empty variable is none, and secrets are not shown."""

from pathlib import Path

import pytest

from orderloom.settings import Settings
from orderloom.settings_reference import reference, variables

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "settings.md"


def test_the_page_is_what_the_code_says() -> None:
    """docs/reference/settings.md is what ``python -m orderloom.settings_reference`` prints, with a word on each."""
    assert PAGE.read_text("utf-8") == reference()
    assert [name for name, field in variables().items() if not field.description] == []


def test_an_empty_variable_is_an_unset_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compose passes on what is not set as nothing: workers are not versioned by it, and ports keep their default."""
    for name in ("DEPLOYMENT", "BUILD_ID", "API_PORT", "DATABASE_URL"):
        monkeypatch.setenv(f"ORDERLOOM_{name}", "")

    settings = Settings()

    assert (settings.deployment, settings.build_id, settings.database_url) == (None, None, None)
    assert settings.api_port == 8080


def test_secrets_are_not_shown() -> None:
    """Keys, and addresses that carry passwords, are not in what a log would show of the settings."""
    secrets = {
        "master_key": "ab" * 32,
        "temporal_api_key": "tk-1",
        "database_url": "pg://a:b1",
        "keys_url": "pg://a:b2",
    }

    shown = repr(Settings.model_validate(secrets))

    assert [secret for secret in secrets.values() if secret in shown] == []
