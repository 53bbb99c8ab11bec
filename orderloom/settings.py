"""What a deployment sets: environment variables ``ORDERLOOM_…``, with ``DATABASE_URL`` and ``TEMPORAL_ADDRESS``."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AliasChoices, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

Port = Annotated[int, Field(ge=0, le=65_535)]
"""0 is any free one."""


def _also(name: str, plain: str) -> AliasChoices:
    return AliasChoices(f"orderloom_{name}", plain)


class Settings(BaseSettings):
    """The settings of all processes. Without addresses the servers are embedded."""

    model_config = SettingsConfigDict(env_prefix="ORDERLOOM_", frozen=True, extra="forbid", populate_by_name=True)

    data_dir: Path = Path(".orderloom")
    """Where embedded servers keep their data, and the master key when none is set."""
    database_url: Annotated[str | None, Field(validation_alias=_also("database_url", "database_url"))] = None
    """PostgreSQL, ``postgresql://…``; also ``DATABASE_URL``. Unset: an embedded server."""
    keys_url: str | None = None
    """The database of persons' keys. Needed with ``database_url``, and not the same one."""
    master_key: str | None = None
    """64 hexadecimal digits that wrap the persons' keys. Unset: made once and kept in the data directory."""
    pool_size: Annotated[int, Field(ge=1, le=500)] = 20
    """Connections of one process."""

    temporal_address: Annotated[str | None, Field(validation_alias=_also("temporal_address", "temporal_address"))] = (
        None
    )
    """``host:port``; also ``TEMPORAL_ADDRESS``. Unset: an embedded server."""
    temporal_namespace: Annotated[str, Field(validation_alias=_also("temporal_namespace", "temporal_namespace"))] = (
        "default"
    )
    temporal_api_key: Annotated[
        str | None, Field(validation_alias=_also("temporal_api_key", "temporal_api_key"), repr=False)
    ] = None
    temporal_tls: bool = False
    temporal_port: Port = 0
    """Of the embedded server."""
    temporal_ui_port: Port | None = 8233
    """Of the embedded server's web interface; unset it for none."""

    host: str = "127.0.0.1"
    """Where the API, the sandbox gateway and the monitor listen."""
    api_port: Port = 8080
    gateway_port: Port = 8090
    gateway_url: str | None = None
    """The payment gateway. Unset: the sandbox gateway of ``orderloom up``."""
    sandbox_webhook_url: str | None = None
    """Where ``orderloom gateway`` tells what it did: ``…/v1/gateways/sandbox/webhooks`` of the API. Unset: nowhere."""

    monitor_port: Port | None = None
    """Where each process says whether it lives and can work, and what it counts. Unset: nowhere."""

    workflow_cache: Annotated[int, Field(ge=0)] = 1000
    """Workflows that a worker keeps in memory."""
    sandbox: bool = False
    """Run workflows in Temporal's sandbox: twice the CPU, and it catches what would break a replay. Tests do."""
    deployment: str | None = None
    """Name of the worker deployment; with it and ``build_id`` workers are versioned."""
    build_id: str | None = None

    log_level: Literal["debug", "info", "warning", "error"] = "warning"
    log_format: Literal["auto", "json", "text"] = "auto"
    """``auto``: text on a terminal, JSON elsewhere."""
