"""The documentation: links, commands and flags exist, and what it quotes of the code is the code."""

import ast
import functools
import importlib.util
import inspect
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "data/README.md")]
    + [path for folder in ("docs", "experiments") for path in (ROOT / folder).rglob("*.md")]
)
COMMAND = re.compile(r"python -m ((?:dcgan_tf|experiments)\.[\w.]+)([^`\n#|&]*)")
RENAMED = re.compile(r"^\| `experiments\.")  # CHANGELOG's table names commands that are gone
PACKAGE_COMMANDS = [
    f"dcgan_tf.{name}" for name in ("train", "prepare", "sample", "evaluate", "inpaint", "visualize_layers")
]
OTHER_PROGRAMS_FLAGS = {"logdir", "kill-on-bad-exit"}  # of tensorboard and srun


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
def flags_of(module: str) -> set[str]:
    """The flags in a command's --help, and "help" itself."""
    command = [sys.executable, "-m", module, "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, (module, done.stderr)
    return {"help", *re.findall(r"^  --(\w+)$", done.stdout, re.M)}


def flags_of_all(modules) -> dict[str, set[str]]:
    with ThreadPoolExecutor(4) as pool:
        return dict(zip(modules, pool.map(flags_of, modules)))


def test_commands_exist_and_have_the_flags_named():
    found = list(commands())
    assert len(found) > 40
    for page, module, _ in found:
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), f"{page}: {module}"
    known = flags_of_all(sorted({module for _, module, flags in found if flags}))
    for page, module, flags in found:
        for flag in flags:
            assert flag in known[module], f"{page}: {module} --{flag}"


def code_spans(text: str) -> list[str]:
    return re.findall(r"`([^`\n]+)`", text)


def test_flags_named_by_themselves_are_flags_of_a_command():
    """Of a command of the package, or of a study's that the same page names."""
    of_package = set().union(*flags_of_all(PACKAGE_COMMANDS).values()) | OTHER_PROGRAMS_FLAGS
    studies = {page: {m for p, m, _ in commands() if p == page and m.startswith("experiments.")} for page, _ in texts()}
    studies["CHANGELOG.md"] |= {"experiments.initialization"}  # its "--only= of a study" names none
    of_studies = flags_of_all(sorted(set().union(*studies.values())))
    for page, text in texts():
        known = of_package.union(*(of_studies[module] for module in studies[page]))
        for span in code_spans(text):
            for flag in re.findall(r"(?<![\w-])--([\w-]+)", span):
                assert flag in known, f"{page}: `{span}`"


def test_files_and_tests_named_exist():
    named = 0
    for page, text in texts():
        for span in code_spans(text):
            if re.match(r"(tests|dcgan_tf|experiments|docs)/", span):
                path, _, test = span.split()[0].partition("::")
                assert (ROOT / path).exists(), f"{page}: {span}"
                assert not test or f"def {test}(" in (ROOT / path).read_text(encoding="utf-8"), f"{page}: {span}"
                named += 1
    assert named > 30


def test_console_scripts_named_are_declared():
    declared = re.findall(r"^(dcgan-[\w-]+) = ", (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.M)
    for page, text in texts():
        for span in code_spans(text):
            for script in re.findall(r"^dcgan-[a-z-]+$", span.split()[0]):
                assert script in declared, f"{page}: {script}"


# Python.


def examples() -> list[tuple[str, str]]:
    """(page, source) of the Python blocks that use the package."""
    blocks = [(page, block) for page, text in texts() for block in re.findall(r"```python\n(.*?)```", text, re.S)]
    return [(page, block) for page, block in blocks if "dcgan_tf" in block]


def names_in(nodes: list[ast.stmt]) -> set[str]:
    """What statements define, assign or import."""
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    return names


def defined_in(name: str) -> ast.Module:
    """The source of a module or package, parsed: importing it would import TensorFlow."""
    path = ROOT / name.replace(".", "/")
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(path.read_text(encoding="utf-8"))


def methods_of(module: str, name: str) -> dict[str, ast.FunctionDef]:
    (node,) = (n for n in defined_in(module).body if isinstance(n, ast.ClassDef) and n.name == name)
    return {n.name: n for n in node.body if isinstance(n, ast.FunctionDef)}


def test_examples_name_what_the_package_has():
    """Imports, `dcgan_tf.x`, `dcgan_tf.x.y`, and the methods and arguments of `gan`."""
    methods = methods_of("dcgan_tf.gan.dcgan", "DCGAN")
    checked = []
    for page, block in examples():
        for node in ast.walk(ast.parse(block)):
            where = f"{page}: {ast.unparse(node)}"
            if isinstance(node, ast.ImportFrom):
                assert {alias.name for alias in node.names} <= names_in(defined_in(node.module).body), where
            elif isinstance(node, ast.Attribute) and ast.unparse(node.value).startswith("dcgan_tf"):
                module = ast.unparse(node.value)
                is_module = (ROOT / module.replace(".", "/") / node.attr).exists()
                assert is_module or node.attr in names_in(defined_in(module).body), where
            elif isinstance(node, ast.Call) and ast.unparse(node.func).startswith("gan."):
                arguments = methods[node.func.attr].args.args[1:]
                assert len(node.args) <= len(arguments), where
                assert {k.arg for k in node.keywords} <= {argument.arg for argument in arguments}, where
            else:
                continue
            checked.append(page)
    assert {"README.md", "docs/python.md"} <= set(checked)


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
    """The same calls as in the package's docstring, with arguments that the functions take."""
    import dcgan_tf

    tree = ast.parse(re.search(r"```python\nimport dcgan_tf\n(.*?)```", readme(), re.S)[1])
    calls = {node.func.attr: node for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert list(calls) == ["preset", "train", "load", "generate"]
    assert re.findall(r"(?:dcgan_tf|gan)\.(\w+)\(", dcgan_tf.__doc__) == list(calls)

    arguments = {keyword.arg: ast.literal_eval(keyword.value) for keyword in calls["preset"].keywords}
    config = dcgan_tf.preset(ast.literal_eval(calls["preset"].args[0]), **arguments)
    assert config.dataset == "folder"
    for name in ("train", "load"):
        assert not calls[name].keywords
        inspect.signature(getattr(dcgan_tf, name)).bind(*calls[name].args)
    assert "gan.generate(16, seed=3)" in dcgan_tf.__doc__
    (run,) = (n for n in defined_in("dcgan_tf.training.loop").body if isinstance(n, ast.ClassDef) and n.name == "Run")
    assert ast.unparse(calls["load"].args[0]) == "run.directory.path" and "directory" in names_in(run.body)


def test_the_readmes_picture_is_of_the_figures():
    """As `docs/make_figures.py` composes it, up to the loss of JPEG and another font's labels."""
    spec = importlib.util.spec_from_file_location("make_figures", ROOT / "docs/make_figures.py")
    make_figures = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make_figures)
    composed = make_figures.compose()
    with Image.open(ROOT / "docs/figures/roads_and_faces.jpg") as kept:
        assert kept.size == composed.size and "docs/figures/roads_and_faces.jpg" in readme()
        below = (0, make_figures.LABEL_HEIGHT, *composed.size)
        difference = np.abs(np.subtract(composed.crop(below), kept.crop(below), dtype=np.float32))
    assert difference.mean() < 6


def test_the_makefile_has_the_targets_that_are_named():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    for page, text in texts():
        for code in re.findall(r"`([^`\n]*)`", text) + re.findall(r"^make .*$", text, re.M):
            if named := re.match(r"make ([a-z-]+)( |$)", code):
                assert named[1] in targets, f"{page}: {code}"
