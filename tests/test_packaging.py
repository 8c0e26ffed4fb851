"""The metadata of the package, and what its wheel and source distribution contain."""

import ast
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import dcgan_tf

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pytest requires it there

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


@pytest.fixture(scope="module")
def distributions(tmp_path_factory):
    """The names in the source distribution and in the wheel built from it, without their common folder."""
    folder = tmp_path_factory.mktemp("distributions")
    ignored = shutil.ignore_patterns(".*", "__pycache__", "build", "dist", "data", "runs", "*.egg-info")
    shutil.copytree(ROOT, folder / "sources", ignore=ignored)

    def build(sources, kind):
        code = f"from setuptools import build_meta; build_meta.build_{kind}({str(folder)!r})"
        built = subprocess.run([sys.executable, "-c", code], cwd=sources, capture_output=True, text=True)
        assert built.returncode == 0, built.stderr[-3000:]

    build(folder / "sources", "sdist")
    stem = f"dcgan_tf-{dcgan_tf.__version__}"
    shutil.unpack_archive(folder / f"{stem}.tar.gz", folder)
    build(folder / stem, "wheel")
    with tarfile.open(folder / f"{stem}.tar.gz") as archive:
        sdist = {member.name.removeprefix(f"{stem}/") for member in archive if member.isfile()}
    with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl") as archive:
        scripts = archive.read(f"{stem}.dist-info/entry_points.txt").decode()
        wheel = set(archive.namelist())
    return sdist, wheel, scripts


def list_package():
    names = (p.relative_to(ROOT).as_posix() for p in (ROOT / "dcgan_tf").rglob("*") if p.is_file())
    return {name for name in names if "__pycache__" not in name}


def test_the_wheel_is_the_package_with_its_data(distributions):
    _, wheel, scripts = distributions
    assert {name for name in wheel if ".dist-info/" not in name} == list_package()
    assert {"dcgan_tf/py.typed", "dcgan_tf/layer_figures/report.html"} <= wheel
    assert f"dcgan_tf-{dcgan_tf.__version__}.dist-info/licenses/LICENSE" in wheel
    assert set(scripts.split("\n")) >= {f"{name} = {target}" for name, target in PROJECT["scripts"].items()}


def test_the_source_distribution_builds_that_wheel_and_has_no_tests(distributions):
    sdist, _, _ = distributions
    made = {name for name in sdist if name.startswith("dcgan_tf.egg-info/")} | {"PKG-INFO", "setup.cfg"}
    files = "LICENSE README.md CHANGELOG.md CITATION.cff MANIFEST.in pyproject.toml requirements.txt setup.py"
    assert sdist - made == list_package() | set(files.split())
