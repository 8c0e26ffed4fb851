"""What an installation is told: metadata, requirements, console scripts."""

import ast
import re
import sys
from pathlib import Path

import pytest

import dcgan_tf

if sys.version_info < (3, 11):
    pytest.skip("tomllib came with Python 3.11", allow_module_level=True)

import tomllib

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_requirements_are_pyprojects_dependencies():
    lines = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if line and line[0] != "#"]
    assert lines == PROJECT["dependencies"]


def test_the_gpus_tensorflow_is_the_same_version():
    (tensorflow,) = (line for line in PROJECT["dependencies"] if line.startswith("tensorflow>"))
    assert PROJECT["optional-dependencies"]["gpu"] == [tensorflow.replace("tensorflow", "tensorflow[and-cuda]")]


def test_every_command_has_a_console_script():
    commands = {"train", "sample", "prepare", "visualize_layers", "evaluate", "inpaint"}
    scripts = {name.removeprefix("dcgan-").replace("-", "_"): target for name, target in PROJECT["scripts"].items()}
    assert scripts == {command: f"dcgan_tf.{command}:run" for command in commands}
    for command in commands:  # read, not imported: `dcgan_tf.train` is the function of the package's face
        tree = ast.parse((ROOT / "dcgan_tf" / f"{command}.py").read_text())
        assert "run" in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_the_supported_versions_are_named_alike():
    versions = {c.rpartition(" ")[2] for c in PROJECT["classifiers"] if "Python :: 3." in c}
    workflow = (ROOT / ".github/workflows/ci.yml").read_text()
    assert versions == set(re.search(r"python-version: \[(.*)\]", workflow)[1].replace('"', "").split(", "))
    assert PROJECT["requires-python"] == ">=" + min(versions, key=lambda v: int(v.split(".")[1]))


def test_the_changelog_and_the_citation_know_the_version():
    assert f"## [{dcgan_tf.__version__}]" in (ROOT / "CHANGELOG.md").read_text()
