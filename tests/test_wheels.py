"""Wheels: what the workflow builds is what the project says it runs on."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def test_the_oldest_python_and_the_stable_interface_have_wheels() -> None:
    """One for each Python before the stable interface's first, and one for all from there on."""
    oldest = int(PROJECT["project"]["requires-python"].removeprefix(">=3."))
    stable = int(PROJECT["tool"]["scikit-build"]["wheel"]["py-api"].removeprefix("cp3"))
    assert PROJECT["tool"]["cibuildwheel"]["build"] == [f"cp3{minor}-*" for minor in range(oldest, stable + 1)]


def test_every_wheel_is_tried_on_its_own_kernels() -> None:
    settings = PROJECT["tool"]["cibuildwheel"]
    assert settings["test-environment"]["PELLUCID_REQUIRE_NATIVE"] == "1"
    named = [word for command in settings["test-command"] for word in re.findall(r"\S+\.py", command)]
    assert named and all((ROOT / name.removeprefix("{project}/")).is_file() for name in named)


def test_the_workflow_publishes_only_what_was_built_and_tested_on_a_tag() -> None:
    workflow = (ROOT / ".github" / "workflows" / "wheels.yml").read_text("utf-8")
    publish = workflow.split("\n  publish:\n")[1]
    assert "startsWith(github.ref, 'refs/tags/v')" in publish and "needs: [wheels, source]" in publish
    assert "secrets." not in workflow and "password:" not in workflow
    assert workflow.count("id-token: write") == publish.count("id-token: write") == 1
