"""The files that people deploy with: what keeps them safe is stated here, so that no edit loses it unnoticed."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from hlscam.adapters.config_file import load_config
from hlscam.adapters.ffmpeg.process import QUIT_GRACE_S, TERM_GRACE_S
from hlscam.app import _LONGEST_DRAIN_S
from hlscam.domain.config import Config, is_loopback
from hlscam.domain.config_text import parse_config
from hlscam.domain.source import UrlSource
from tests.deploy.docker import DEPLOY, Instruction, in_build_context, only, stages
from tests.rig.paths import REPOSITORY

_LONGEST_STOP_S = QUIT_GRACE_S + TERM_GRACE_S + _LONGEST_DRAIN_S
_ARCHIVE = "/var/lib/hlscam/archive"
_USER = "10001:10001"


# --- the configurations


def container_config() -> Config:
    """Parsed, not loaded: loading looks whether the archive can be written, and that is another machine's."""
    text = (DEPLOY / "hlscam.container.yaml").read_text()
    return parse_config(text, environ={}, base=Path("/etc/hlscam"), file_name="hlscam.container.yaml")


def test_the_example_configuration_loads(tmp_path: Path) -> None:
    (tmp_path / "hlscam.yaml").write_text((DEPLOY / "hlscam.example.yaml").read_text())
    config = load_config(tmp_path / "hlscam.yaml", {"PORCH_PASSWORD": "p@ss/word"})
    source = config.cameras["porch"].source
    assert isinstance(source, UrlSource)
    assert "p%40ss%2Fword@192.168.1.20" in source.url
    assert is_loopback(config.server.host)
    assert not config.server.insecure


def test_the_container_configuration_needs_no_passwords_and_fits_the_image() -> None:
    config = container_config()
    assert (config.server.host, config.server.insecure) == ("0.0.0.0", True)
    assert str(config.archive.path) == _ARCHIVE
    assert all(each.enabled for each in config.cameras.values())
    assert config.cameras


def test_the_container_configuration_loads_with_its_commented_camera(tmp_path: Path) -> None:
    text = (DEPLOY / "hlscam.container.yaml").read_text().replace(_ARCHIVE, str(tmp_path))
    uncommented = re.sub(r"^  # (porch:|  name:|  source:)", r"  \1", text, flags=re.MULTILINE)
    (tmp_path / "hlscam.yaml").write_text(uncommented)
    config = load_config(tmp_path / "hlscam.yaml", {"PORCH_PASSWORD": "secret"})
    assert set(config.cameras) == {"porch", "pattern"}


# --- the image


def final_stage() -> list[Instruction]:
    return stages()[-1]


def test_the_image_runs_as_nobody_in_particular_with_the_archive_as_a_volume() -> None:
    final = final_stage()
    assert only(final, "USER").rest == _USER
    assert not [each for each in final[final.index(only(final, "USER")) :] if each.word == "RUN"]
    assert only(final, "VOLUME").rest == _ARCHIVE
    assert only(final, "STOPSIGNAL").rest == "SIGTERM"
    assert only(final, "EXPOSE").rest == str(container_config().server.port)


def test_the_image_starts_hlscam_itself_so_that_signals_reach_it() -> None:
    final = final_stage()
    argv = only(final, "ENTRYPOINT").words + only(final, "CMD").words
    assert argv == ["hlscam", "run", "-c", "/etc/hlscam/hlscam.yaml"]
    assert Instruction("COPY", "deploy/hlscam.container.yaml /etc/hlscam/hlscam.yaml") in final


def test_only_what_was_built_leaves_the_build_stage() -> None:
    build, final = stages()
    assert build[0].rest.endswith(" AS build")
    taken = [each.rest for each in final if each.word == "COPY"]
    assert taken == ["--from=build /opt/hlscam /opt/hlscam", "deploy/hlscam.container.yaml /etc/hlscam/hlscam.yaml"]


def test_every_package_of_the_image_is_held_by_a_hash() -> None:
    runs = " && ".join(each.rest for stage in stages() for each in stage if each.word == "RUN").split(" && ")
    pips = [each for each in runs if " install " in each and each.startswith("pip ")]
    assert len(pips) == 3
    assert all("--require-hashes" in each or "--no-index" in each for each in pips)
    assert [each for each in runs if '"$NPM"' in each and " run " not in each] == ['node "$NPM" ci --ignore-scripts']
    assert not [each for each in runs if re.search(r"\b(apt|apt-get|curl|wget)\b", each)]


def test_no_locked_npm_package_needs_the_install_script_that_the_image_does_not_run() -> None:
    assert "hasInstallScript" not in (REPOSITORY / "web" / "package-lock.json").read_text()


def test_all_that_the_image_copies_is_there_and_is_sent() -> None:
    copies = [each.rest for stage in stages() for each in stage if each.word == "COPY" and "--from" not in each.rest]
    sources = [source for copy in copies for source in copy.split()[:-1]]
    assert len(sources) >= 10
    for source in sources:
        assert (REPOSITORY / source).exists(), source
        assert in_build_context(source), source


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("hlscam/cli.py", True),
        ("hlscam/adapters/catalog/migrations/versions/0001_recordings.py", True),
        ("web/src/main.ts", True),
        ("web/.npmrc", True),
        (".git/config", False),
        (".venv/bin/python", False),
        ("archive/porch/20260101T000000Z.mp4", False),
        ("demo/garden.mp4", False),
        ("hlscam.yaml", False),
        ("deploy/hlscam.env", False),
        ("hlscam/server/page/index.html", False),
        ("hlscam/domain/__pycache__/run.cpython-311.pyc", False),
        ("web/node_modules/vite/package.json", False),
        ("tests/conftest.py", False),
    ],
)
def test_the_build_context_is_what_the_image_needs_and_no_more(path: str, sent: bool) -> None:
    assert in_build_context(path) is sent


# --- compose


def compose_service() -> dict[str, Any]:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    assert set(compose["services"]) == {"hlscam"}
    assert "archive" in compose["volumes"]
    service: dict[str, Any] = compose["services"]["hlscam"]
    return service


def test_compose_publishes_on_loopback_only() -> None:
    service = compose_service()
    (published,) = service["ports"]
    host, port, inner = published.split(":")
    assert is_loopback(host)
    assert port.isdecimal()
    assert int(inner) == container_config().server.port
    assert "network_mode" not in service  # `host` would go past the published port


def test_compose_gives_no_privileges() -> None:
    service = compose_service()
    assert service["user"] == _USER
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"cap_add", "privileged", "devices", "pid", "ipc", "environment"} & set(service)


def test_compose_writes_to_the_archive_and_to_tmp_only() -> None:
    service = compose_service()
    config, archive = service["volumes"]
    assert config == "./hlscam.container.yaml:/etc/hlscam/hlscam.yaml:ro"
    assert archive == f"archive:{_ARCHIVE}"
    (tmp,) = service["tmpfs"]
    assert tmp.startswith("/tmp:")


def test_compose_takes_passwords_from_a_file_that_git_and_the_image_never_see() -> None:
    (env_file,) = compose_service()["env_file"]
    assert env_file == {"path": "hlscam.env", "required": False}
    assert not in_build_context("deploy/hlscam.env")


def test_compose_builds_from_the_repository() -> None:
    build = compose_service()["build"]
    assert (DEPLOY / build["context"]).resolve() == REPOSITORY.resolve()
    assert (REPOSITORY / build["dockerfile"]).is_file()


def test_compose_leaves_time_to_close_recordings() -> None:
    assert float(compose_service()["stop_grace_period"].removesuffix("s")) > _LONGEST_STOP_S


# --- systemd


def unit() -> dict[str, list[str]]:
    """The unit's settings in order, by name; a list assignment may stand more than once."""
    found: dict[str, list[str]] = {}
    for line in (DEPLOY / "hlscam.service").read_text().splitlines():
        if line and line[0] not in "#[":
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("User", "hlscam"),
        ("ProtectSystem", "strict"),
        ("StateDirectory", "hlscam"),
        ("PrivateTmp", "yes"),
        ("PrivateDevices", "yes"),
        ("NoNewPrivileges", "yes"),
        ("CapabilityBoundingSet", ""),
        ("AmbientCapabilities", ""),
        ("ProtectHome", "yes"),
        ("MemoryDenyWriteExecute", "yes"),
        ("RestrictAddressFamilies", "AF_INET AF_INET6 AF_UNIX"),
        ("KillMode", "mixed"),  # ffmpeg must be asked by hlscam, not signalled: SIGTERM to it can lose the trailer
        ("Restart", "always"),
        ("StartLimitIntervalSec", "0"),
        ("OOMPolicy", "continue"),
        ("EnvironmentFile", "-/etc/hlscam/hlscam.env"),
    ],
)
def test_the_unit_says(key: str, value: str) -> None:
    assert unit()[key] == [value]


def test_the_unit_allows_the_system_calls_of_a_service_less_the_privileged() -> None:
    assert unit()["SystemCallFilter"] == ["@system-service", "~@privileged @resources"]


def test_the_unit_leaves_time_to_close_recordings() -> None:
    assert float(unit()["TimeoutStopSec"][0]) > _LONGEST_STOP_S


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    """`verify` looks whether the program is there; so it is given one."""
    text = (DEPLOY / "hlscam.service").read_text()
    program = tmp_path / "hlscam"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert text.count("/opt/hlscam/bin/hlscam") == 1
    (tmp_path / "hlscam.service").write_text(text.replace("/opt/hlscam/bin/hlscam", str(program)))
    argv = ["systemd-analyze", "verify", "--man=no", str(tmp_path / "hlscam.service")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    complaints = [line for line in done.stderr.splitlines() if "hlscam.service" in line]
    assert (done.returncode, complaints) == (0, []), done.stderr


def test_systemd_finds_the_unit_little_exposed() -> None:
    argv = ["systemd-analyze", "security", "--offline=true", "--threshold=15", str(DEPLOY / "hlscam.service")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout.splitlines()[-1:] or done.stderr
