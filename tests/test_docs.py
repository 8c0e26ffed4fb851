"""The documentation: links, commands and flags exist, and what it quotes of the code is the code."""

import ast
import functools
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "data/README.md")]
    + [path for folder in ("docs", "experiments") for path in (ROOT / folder).rglob("*.md")]
)
COMMAND = re.compile(r"python -m ((?:dcgan_tf|experiments)\.[\w.]+)([^`\n#|&]*)")
RENAMED = re.compile(r"^\| `experiments\.")  # CHANGELOG's table names commands that are gone


def texts():
    return [(page.relative_to(ROOT).as_posix(), page.read_text(encoding="utf-8")) for page in PAGES]


def anchor(heading: str) -> str:
    """A heading's anchor, as GitHub makes it."""
    plain = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


@pytest.mark.parametrize("page, text", texts(), ids=[name for name, _ in texts()])
def test_links_and_pictures_exist(page, text):
    links = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|href)="([^"]+)"', text)
    for link in links:
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        name, _, part = link.partition("#")
        target = (ROOT / page).parent / name if name else ROOT / page
        assert target.exists(), f"{page}: {link}"
        if part and target.suffix == ".md":
            headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.M)
            assert part in {anchor(heading) for heading in headings}, f"{page}: {link}"


def commands():
    """(page, module, its flags) of every command that the pages name."""
    for page, text in texts():
        text = text.replace("\\\n", " ")
        for line in text.splitlines():
            if not RENAMED.match(line):
                for module, rest in COMMAND.findall(line):
                    yield page, module.rstrip("."), re.findall(r"--(\w+)", rest)


@functools.cache
def help_of(module: str) -> str:
    return subprocess.run([sys.executable, "-m", module, "--help"], cwd=ROOT, capture_output=True, text=True).stdout


def test_commands_exist_and_have_the_flags_named():
    found = list(commands())
    assert len(found) > 40
    for page, module, flags in found:
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), f"{page}: {module}"
        for flag in flags:
            assert flag == "help" or f"--{flag}\n" in help_of(module), f"{page}: {module} --{flag}"


# The README.


def readme() -> str:
    return (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_readme_is_short():
    assert len(readme().splitlines()) <= 150


def test_the_readmes_train_step_is_the_code():
    """All of the function but its docstring."""
    source = (ROOT / "dcgan_tf/gan/train_step.py").read_text(encoding="utf-8")
    (function,) = (n for n in ast.parse(source).body if isinstance(n, ast.FunctionDef) and n.name == "train_step")
    lines = source.splitlines()
    signature = lines[function.lineno - 1]
    body = lines[function.body[1].lineno - 1 : function.end_lineno]
    assert "\n".join([signature, *body]) in readme()


def test_the_readmes_example_is_the_packages():
    """The five lines stand in the package's docstring too, but for the preset."""
    import dcgan_tf

    example = re.search(r"```python\nimport dcgan_tf\n(.*?)```", readme(), re.S)[1]
    calls = re.findall(r"dcgan_tf\.(\w+)\(", example)
    assert calls == ["preset", "train", "load"] == re.findall(r"dcgan_tf\.(\w+)\(", dcgan_tf.__doc__)
    assert "gan.generate(16, seed=3)" in example and "gan.generate(16, seed=3)" in dcgan_tf.__doc__


def test_the_makefile_has_the_targets_that_are_named():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    for page, text in texts():
        for code in re.findall(r"`([^`\n]*)`", text) + re.findall(r"^make .*$", text, re.M):
            if named := re.match(r"make ([a-z-]+)( |$)", code):
                assert named[1] in targets, f"{page}: {code}"
