"""Imports go down only, and no module takes part in a circle: read from the code, imports inside functions too."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# From the bottom up. A module imports from its own layer's folder and from the layers below; `LAYERS` has the modules
# and folders of `dcgan_tf` by name.
LAYERS = [
    {"errors"},
    {"settings", "batch", "run_metrics", "console", "files", "processes", "signals", "backend"},
    {"config"},
    {"cli"},
    {"metrics", "pictures"},
    {"datasets", "gan"},
    {"distributed"},
    {"training", "layer_figures", "evaluation", "inpainting", "sampling"},
    {"", "train", "sample", "prepare", "visualize_layers", "evaluate", "inpaint"},
]
LAYER = {name: level for level, names in enumerate(LAYERS) for name in names}
FEATURES = LAYERS[-2]
SHARED_BY_FEATURES = ("dcgan_tf.training.loading", "dcgan_tf.training.run_directory", "dcgan_tf.training.checkpoints")


def modules_of(package: str) -> dict[str, Path]:
    """Every module of a package by its dotted name."""
    found = {}
    for path in (ROOT / package).rglob("*.py"):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        found[name] = path
    return found


def imports_of(source: str, known: set[str]) -> set[str]:
    """The modules in `known` that some source imports, wherever in it; not those for type checking only."""
    found = set()
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in known else node.module for name in names]
        else:
            continue
        found.update(name for name in names if name in known)
    return found


def graph_of(package: str) -> dict[str, set[str]]:
    """module -> modules of this project that it imports."""
    modules = modules_of("dcgan_tf") | modules_of("experiments")
    return {
        name: imports_of(path.read_text(), set(modules)) for name, path in modules.items() if name.startswith(package)
    }


def part(module: str) -> str:
    """The module or folder of the package that a module belongs to: "gan" of "dcgan_tf.gan.losses"."""
    return (module.split(".") + [""])[1]


def find_circle(graph: dict[str, set[str]]) -> list[str]:
    """Modules of one circle of imports, or none."""
    state: dict[str, int] = {}

    def visit(name: str, path: list[str]) -> list[str]:
        if state.get(name) == 1:
            return path[path.index(name) :]
        if state.get(name) == 2 or name not in graph:
            return []
        state[name] = 1
        for other in sorted(graph[name] - {name}):
            if circle := visit(other, [*path, name]):
                return circle
        state[name] = 2
        return []

    for name in sorted(graph):
        if circle := visit(name, []):
            return circle
    return []


def upward(graph: dict[str, set[str]]) -> list[str]:
    """Imports that go up, or from one feature to another's other modules."""
    found = []
    for name, imported in graph.items():
        for other in imported:
            here, there = part(name), part(other)
            up = LAYER[there] > LAYER[here]
            across = {here, there} <= FEATURES and here != there and other not in SHARED_BY_FEATURES
            if up or across:
                found.append(f"{name} -> {other}")
    return sorted(found)


def test_every_module_has_a_layer():
    assert {part(name) for name in modules_of("dcgan_tf")} == set(LAYER)


def test_imports_of_the_package_go_down():
    # The package's own face offers `train`, `load` and `generate`; they are imported when they are called.
    graph = {name: imported for name, imported in graph_of("dcgan_tf").items() if name != "dcgan_tf"}
    without_face = {name: {other for other in imported if other != "dcgan_tf"} for name, imported in graph.items()}
    assert upward(without_face) == []


@pytest.mark.parametrize("package", ["dcgan_tf", "experiments"])
def test_there_are_no_circles(package):
    assert find_circle(graph_of(package)) == []


def test_the_package_does_not_use_the_experiments():
    assert [
        name for name, other in graph_of("dcgan_tf").items() if any(o.startswith("experiments") for o in other)
    ] == []


def test_no_study_imports_another():
    for name, imported in graph_of("experiments").items():
        for other in imported:
            if other.startswith("experiments.") and part(other) not in (part(name), "framework"):
                assert name.startswith("experiments.reproduction"), f"{name} -> {other}"


def test_tensorflow_and_keras_come_from_the_backend():
    for name, path in (modules_of("dcgan_tf") | modules_of("experiments")).items():
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for imported in names:
                root, _, rest = imported.partition(".")
                assert root not in ("tensorflow", "keras") or rest or name == "dcgan_tf.backend", f"{name}: {imported}"


# The checks themselves.


def test_an_import_upwards_or_across_is_found():
    graph = {"dcgan_tf.gan.losses": {"dcgan_tf.training.loop", "dcgan_tf.config"}}
    assert upward(graph) == ["dcgan_tf.gan.losses -> dcgan_tf.training.loop"]
    graph = {"dcgan_tf.sampling.draw": {"dcgan_tf.evaluation.sets", "dcgan_tf.training.loading"}}
    assert upward(graph) == ["dcgan_tf.sampling.draw -> dcgan_tf.evaluation.sets"]


def test_a_circle_is_found():
    assert find_circle({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == ["b", "c"]
    assert find_circle({"a": {"b"}, "b": set()}) == []


def test_imports_inside_functions_are_read():
    source = "def f():\n    from dcgan_tf.gan import losses\n    import dcgan_tf.files\n"
    known = {"dcgan_tf.gan", "dcgan_tf.gan.losses", "dcgan_tf.files"}
    assert imports_of(source, known) == {"dcgan_tf.gan.losses", "dcgan_tf.files"}
