"""Imports go down only and form no circles. The imports are read from the code, those inside functions too."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# The modules and folders of `dcgan_tf` by name, from the bottom up. A module may import from its own layer and from the
# layers below. "" is the package's `__init__`.
LAYERS = [
    {"errors", "presets"},
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
SHARED_BY_FEATURES = tuple(f"dcgan_tf.training.{name}" for name in ("loading", "learned_set", "run_directory"))
# The profiler's message format, which TensorFlow offers by this name alone.
NOT_FROM_BACKEND = {("experiments.performance.profile", "tensorflow.tsl.profiler.protobuf")}


def find_modules(package: str) -> dict[str, Path]:
    """Every module of a package by its dotted name."""
    found = {}
    for path in (ROOT / package).rglob("*.py"):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        found[name] = path
    return found


def read_imports(source: str) -> list[tuple[str, str]]:
    """What some source imports, wherever in it, as (module, name): `from a.b import c` is ("a.b", "c").

    `import a.b` is ("a.b", ""). Imports under `if TYPE_CHECKING:` are left out: they are not made when the code runs.
    """
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            node.body = []
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"line {node.lineno}: a relative import; give the module's whole name"
            found += [(node.module or "", alias.name) for alias in node.names]
    return found


def project_imports(source: str, known: set[str]) -> set[str]:
    """The modules in `known` that some source imports."""
    pairs = read_imports(source)
    return {whole if (whole := f"{module}.{name}") in known else module for module, name in pairs} & known


def build_graph(package: str) -> dict[str, set[str]]:
    """Module -> modules of this project that it imports."""
    modules = find_modules(package)
    known = {*find_modules("dcgan_tf"), *find_modules("experiments")}
    return {name: project_imports(path.read_text(encoding="utf-8"), known) for name, path in modules.items()}


def part(module: str) -> str:
    """The module or folder of its package that a module belongs to: "gan" of "dcgan_tf.gan.losses"."""
    return (module.split(".") + [""])[1]


def find_circle(graph: dict[str, set[str]]) -> list[str]:
    """The modules of one circle of imports; none: []."""
    state: dict[str, int] = {}  # 1: being visited, 2: done

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


def find_wrong_direction(graph: dict[str, set[str]]) -> list[str]:
    """Imports of the package that go up, or from one feature to another's modules that are not shared."""
    found = []
    for name, imported in graph.items():
        for other in (other for other in imported if other.startswith("dcgan_tf")):
            here, there = part(name), part(other)
            across = {here, there} <= FEATURES and here != there and other not in SHARED_BY_FEATURES
            if LAYER[there] > LAYER[here] or across:
                found.append(f"{name} -> {other}")
    return sorted(found)


def find_uses_of_experiments(graph: dict[str, set[str]]) -> list[str]:
    """Imports of the package from the experiments."""
    return sorted(f"{name} -> {other}" for name in graph for other in graph[name] if other.startswith("experiments"))


def find_study_to_study(graph: dict[str, set[str]]) -> list[str]:
    """Imports from one study to another; `reproduction` may import each study's `rows`."""
    found = []
    for name, imported in graph.items():
        for other in (other for other in imported if other.startswith("experiments.")):
            rows = part(name) == "reproduction" and other == f"experiments.{part(other)}.rows"
            if part(other) not in (part(name), "framework") and not rows:
                found.append(f"{name} -> {other}")
    return sorted(found)


def find_past_backend(name: str, source: str) -> list[str]:
    """Imports of TensorFlow or Keras that do not go through `dcgan_tf.backend`."""
    modules = {module for module, _ in read_imports(source) if module.split(".")[0] in ("tensorflow", "keras")}
    if name == "dcgan_tf.backend":
        return []
    return sorted(f"{name} -> {module}" for module in modules if (name, module) not in NOT_FROM_BACKEND)


def test_every_module_has_a_layer():
    assert {part(name) for name in find_modules("dcgan_tf")} == set(LAYER)


def test_imports_of_the_package_go_down():
    assert find_wrong_direction(build_graph("dcgan_tf")) == []


@pytest.mark.parametrize("package", ["dcgan_tf", "experiments"])
def test_there_are_no_circles(package):
    assert find_circle(build_graph(package)) == []


def test_the_package_does_not_use_the_experiments():
    assert find_uses_of_experiments(build_graph("dcgan_tf")) == []


def test_no_study_imports_another():
    assert find_study_to_study(build_graph("experiments")) == []


@pytest.mark.parametrize("package", ["dcgan_tf", "experiments"])
def test_tensorflow_and_keras_come_from_the_backend(package):
    modules = find_modules(package)
    found = [past for name, path in modules.items() for past in find_past_backend(name, path.read_text("utf-8"))]
    assert found == []


# The checks themselves: each finds a violation in a graph made for it, and nothing where there is none.


@pytest.mark.parametrize(
    "name, other",
    [
        ("dcgan_tf.gan.losses", "dcgan_tf.training.loop"),
        ("dcgan_tf.config", "dcgan_tf.cli"),
        ("dcgan_tf.errors", "dcgan_tf.console"),
        ("dcgan_tf.metrics.features", "dcgan_tf.gan.models"),
        ("dcgan_tf.gan.dcgan", "dcgan_tf"),
        ("dcgan_tf.inpainting.fill", "dcgan_tf.inpaint"),
        ("dcgan_tf.sampling.draw", "dcgan_tf.evaluation.sets"),
        ("dcgan_tf.layer_figures.visualize", "dcgan_tf.training.checkpoints"),
        ("dcgan_tf.training.loop", "dcgan_tf.layer_figures.maps"),
    ],
)
def test_an_import_upwards_or_across_is_found(name, other):
    allowed = {"dcgan_tf.errors"} if name != "dcgan_tf.errors" else set()
    assert find_wrong_direction({name: {other, *allowed}}) == [f"{name} -> {other}"]


def test_imports_down_or_within_a_feature_are_allowed():
    graph = {
        "dcgan_tf.sampling.draw": {"dcgan_tf.training.loading", "dcgan_tf.sampling.options", "dcgan_tf.gan.dcgan"},
        "dcgan_tf.train": {"dcgan_tf.cli", "dcgan_tf.training.loop"},
    }
    assert find_wrong_direction(graph) == []


def test_a_circle_is_found():
    assert find_circle({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == ["b", "c"]
    assert find_circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_a_use_of_the_experiments_is_found():
    graph = {"dcgan_tf.gan.dcgan": {"experiments.framework.timing", "dcgan_tf.config"}}
    assert find_uses_of_experiments(graph) == ["dcgan_tf.gan.dcgan -> experiments.framework.timing"]


@pytest.mark.parametrize(
    "name, other",
    [
        ("experiments.recipes.parts", "experiments.metrics.order"),
        ("experiments.recipes.parts", "experiments.optimizers.rows"),
        ("experiments.framework.study", "experiments.faults.disk"),
        ("experiments.reproduction.page", "experiments.optimizers.network"),
    ],
)
def test_an_import_from_study_to_study_is_found(name, other):
    assert find_study_to_study({name: {other, "experiments.framework.mnist", "dcgan_tf"}}) == [f"{name} -> {other}"]


def test_the_reproduction_may_import_rows():
    assert find_study_to_study({"experiments.reproduction.sources": {"experiments.optimizers.rows"}}) == []


@pytest.mark.parametrize(
    "line, module",
    [
        ("import tensorflow as tf", "tensorflow"),
        ("from keras import layers", "keras"),
        ("def f():\n    from keras.src.layers import layer", "keras.src.layers"),
        ("import tensorflow.keras", "tensorflow.keras"),
    ],
)
def test_an_import_past_the_backend_is_found(line, module):
    assert find_past_backend("dcgan_tf.gan.models", line) == [f"dcgan_tf.gan.models -> {module}"]
    assert find_past_backend("dcgan_tf.backend", line) == []
    assert find_past_backend("dcgan_tf.gan.models", "from dcgan_tf.backend import keras, tf") == []


def test_imports_are_read_wherever_they_stand():
    source = "def f():\n    from dcgan_tf.gan import losses\n    import dcgan_tf.files\n"
    source += "from dcgan_tf.errors import UserError\n"
    known = {"dcgan_tf", "dcgan_tf.gan", "dcgan_tf.gan.losses", "dcgan_tf.files", "dcgan_tf.errors"}
    assert project_imports(source, known) == {"dcgan_tf.gan.losses", "dcgan_tf.files", "dcgan_tf.errors"}


def test_imports_for_type_checkers_are_not_read():
    source = "if TYPE_CHECKING:\n    import dcgan_tf.cli\nelse:\n    import dcgan_tf.files\n"
    assert project_imports(source, {"dcgan_tf.cli", "dcgan_tf.files"}) == {"dcgan_tf.files"}


def test_a_relative_import_is_refused():
    with pytest.raises(AssertionError, match="line 1: a relative import"):
        read_imports("from . import losses")
