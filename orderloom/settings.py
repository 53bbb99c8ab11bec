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
    """
    The settings of all processes. Without addresses the servers are embedded.

    An empty variable is an unset one: Compose and its like pass on what is not set as nothing.
    """

    model_config = SettingsConfigDict(
        env_prefix="ORDERLOOM_",
        env_ignore_empty=True,
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        use_attribute_docstrings=True,
    )

    data_dir: Path = Path(".orderloom")
    """Directory of embedded servers, of the sandbox gateway's books, and of the master key when none is set."""
    database_url: Annotated[str | None, Field(validation_alias=_also("database_url", "database_url"), repr=False)] = (
        None
    )
    """The database of orders, `postgresql://…`. Unset: an embedded PostgreSQL."""
    keys_url: Annotated[str | None, Field(repr=False)] = None
    """The database of persons' keys, `postgresql://…`. Needed with `ORDERLOOM_DATABASE_URL`, and not the same one."""
    master_key: Annotated[str | None, Field(repr=False)] = None
    """64 hexadecimal digits that wrap the persons' keys; the same for all processes. Unset: made once and kept in the
    data directory."""
    pool_size: Annotated[int, Field(ge=1, le=500)] = 20
    """Connections that one process has to the database of orders; to that of keys it has 5 at most. A worker runs as
    many transactions at once."""

    actions: str | None = None
    """Python module with actions of one's own, such as `shop_actions`; several with commas between. Each must be
    installed, or stand in the working directory, and be the same for all processes."""

    temporal_address: Annotated[str | None, Field(validation_alias=_also("temporal_address", "temporal_address"))] = (
        None
    )
    """`host:port` of Temporal. Unset: an embedded server."""
    temporal_namespace: Annotated[str, Field(validation_alias=_also("temporal_namespace", "temporal_namespace"))] = (
        "default"
    )
    """The namespace of this deployment's workflows. It must exist; the embedded server makes it."""
    temporal_api_key: Annotated[
        str | None, Field(validation_alias=_also("temporal_api_key", "temporal_api_key"), repr=False)
    ] = None
    """Key that Temporal asks for, as Temporal Cloud does."""
    temporal_tls: bool = False
    """Whether Temporal is spoken to over TLS, with the certificates that the system trusts."""
    temporal_port: Port = 0
    """Port of the embedded server."""
    temporal_ui_port: Port | None = 8233
    """Port of the embedded server's web pages."""

    host: str = "127.0.0.1"
    """Address at which API, sandbox gateway and monitor listen; `0.0.0.0` is every one."""
    api_port: Port = 8080
    """Port of the API."""
    gateway_port: Port = 8090
    """Port of the sandbox gateway."""
    gateway_url: str | None = None
    """The payment gateway, for workers. Unset: the sandbox gateway of the same process."""
    sandbox_webhook_url: str | None = None
    """Where `orderloom gateway` tells what it did: `…/v1/gateways/sandbox/webhooks` of the API. Unset: nowhere."""

    http_allow: str | None = None
    """Hosts that flows of orders may call with `call: http`, as `host` or `host:port` with commas between. Each is to
    answer a repeated `Idempotency-Key` as it did before. Unset: none, not even loopback."""

    monitor_port: Port | None = None
    """Port on which each process says whether it lives and can work, and what it counts. Unset: none."""

    doctor_every: Annotated[float, Field(ge=60)] | None = None
    """Seconds between two examinations of the books by the relay that leads. What `orderloom doctor` would find is
    raised as process exceptions, each once. Unset: none."""

    workflow_cache: Annotated[int, Field(ge=0)] = 1000
    """Workflows that a worker keeps in memory; any other is replayed when it goes on."""
    sandbox: bool = False
    """Run workflows in Temporal's sandbox: twice the CPU, and it catches what would break a replay. Tests do."""
    deployment: str | None = None
    """Name of the worker deployment. With it and a build id, workers are versioned: new orders go to the
    current build."""
    build_id: str | None = None
    """Build of the workers, such as a release's number. Unset: `orderloom-` and the version, without versioning. API
    and relay note it of the orders that they start."""

    log_level: Literal["debug", "info", "warning", "error"] = "warning"
    """The least that is logged."""
    log_format: Literal["auto", "json", "text"] = "auto"
    """`auto`: text on a terminal, JSON elsewhere."""

    traces: Literal["off", "console", "otlp"] = "off"
    """`console`: spans go to stderr, one JSON object a line. `otlp`: to where `OTEL_EXPORTER_OTLP_ENDPOINT` says."""

    def hosts(self) -> list[str]:
        """Return the hosts that flows of orders may call."""
        return [host for host in (it.strip() for it in (self.http_allow or "").split(",")) if host]
