"""The page of all rows is written from records alone; rows that fail do not stop the others."""

import ast
import re
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from dcgan_tf.errors import UserError
from experiments.framework import study
from experiments.framework.study import Options, Row
from experiments.reproduction import __main__ as reproduction
from experiments.reproduction import networks, table
from experiments.reproduction.__main__ import Entry
from experiments.reproduction.sources import NAMES, SOURCES, Source

ROOT = Path(__file__).parents[3]


def row(title="sum", ours="2.01", verdict="agrees", pictures=()):
    figures = {}
    for stem in pictures:
        figures[stem] = study.new_figure(2, 1)
        figures[stem].subplots().plot([0, 1])
    return Row(title, "2", ours, "0.01", verdict, {}, figures=figures)


def fake_rows():
    return {
        "generator": lambda options: row("generator|x", "4\n*layers*", pictures=["generator_sum"]),
        "optimal_discriminator": lambda options: row("optimal D", verdict="differs: by chance"),
        "checkerboard": lambda options: row("beyond", verdict="source in error: a product"),
    }


def entries(folder, **more):
    return {name: Entry(row, Path(folder)) for name, row in (fake_rows() | more).items()}


def broken(options):
    raise ZeroDivisionError("nothing by nothing")


def refused(options):
    raise UserError("no digits there.")


@pytest.fixture
def command(monkeypatch):
    """Calls the command with flags, on fake studies."""
    monkeypatch.setattr(reproduction, "collect_rows", lambda: entries("experiments/study/results"))
    defaults = {"all": False, "rows": "", "seeds": 5, "quick": False, "data_dir": "", "out": "", "again": False}

    def call(**given):
        for module in (reproduction, study):
            monkeypatch.setattr(module, "FLAGS", SimpleNamespace(**defaults | given))
        reproduction.main()

    return call


def cells(page, name):
    """The cells of a row of the table."""
    (found,) = [line for line in page.splitlines() if line.startswith((f"| {name} |", f"| [{name}]("))]
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", found)[1:-1]]


# The sources and the studies.


def test_every_row_of_the_sources_is_there_once_in_order():
    groups = {"A": 16, "B": 10, "C": 2, "D": 7, "E": 4, "F": 4}
    assert list(SOURCES) == [f"{group}{n}" for group, count in groups.items() for n in range(1, count + 1)]


def test_the_tests_that_check_a_row_exist():
    for name, source in SOURCES.items():
        assert bool(source.command) == bool(source.tests), name
        for test in source.tests:
            path, function = test.split("::")
            tree = ast.parse((ROOT / path).read_text())
            assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, test


def test_every_row_is_made_by_a_study_or_has_a_command():
    rows = reproduction.collect_rows()
    for id, source in SOURCES.items():
        assert (NAMES.get(id) in rows) != bool(source.command), id
    assert list(rows) == list(NAMES.values()) and next(iter(NAMES)) == "A1" and list(NAMES)[-1] not in SOURCES
    for name, entry in rows.items():
        assert (ROOT / entry.results / f"{name}.json").exists(), name


def test_the_commands_exist():
    for name, source in SOURCES.items():
        if module := re.match(r"python -m (\S+)", source.command):
            assert (ROOT / (module[1].replace(".", "/") + ".py")).exists(), name


def test_every_study_has_a_page_that_names_its_rows_and_is_in_the_overview():
    overview = (ROOT / "experiments" / "README.md").read_text()
    studies = {path.parent.name for path in (ROOT / "experiments").glob("*/__init__.py")} - {"framework"}
    assert {line.split("]")[0][3:] for line in overview.splitlines() if line.startswith("| [")} == studies
    for name, entry in reproduction.collect_rows().items():
        page = (ROOT / entry.results.parent / "README.md").read_text()
        assert name in page and (ROOT / entry.results / f"{name}.json").exists(), name


# The page.


def test_a_row_without_a_record_is_not_run(tmp_path):
    page = table.make_page(dict.fromkeys(NAMES.values(), tmp_path), tmp_path, "x")
    assert cells(page, "B3") == [
        "B3",
        "optimal_discriminator",
        "optimal D",
        "p_data / (p_data + p_g)",
        "not run",
        "",
        "not run",
    ]
    assert "Figures" not in page


@pytest.mark.parametrize(
    "not_run, verdict", [("", "tested"), ("the genuine set", "tested in small: not run: the genuine set")]
)
def test_a_tested_row_names_its_tests(tmp_path, monkeypatch, not_run, verdict):
    monkeypatch.setitem(SOURCES, "A5", Source("crop", "108", "do it", ("a.py::b", "c.py::d"), not_run))
    page = table.make_page(dict.fromkeys(NAMES.values(), tmp_path), tmp_path, "x")
    assert cells(page, "A5") == ["A5", "", "crop", "108", "`do it`; checked by `a.py::b`, `c.py::d`", "", verdict]


def test_records_fill_the_table_and_pictures_are_linked_from_where_the_page_is(tmp_path):
    folder = tmp_path / "results" / "rows"
    for name, made in fake_rows().items():
        study.make_row(name, made, Options(quick=name == "optimal_discriminator"), folder)
    page = table.make_page(dict.fromkeys(NAMES.values(), folder), tmp_path, "x")
    assert cells(page, "A1") == [
        "[A1](#a1)",
        "generator",
        "generator\\|x",
        "2",
        "4 \\*layers\\*",
        "0.01",
        "agrees",
    ]
    assert "\n### A1\n" in page
    assert cells(page, "B3")[5:] == ["0.01 (quick form)", "differs: by chance"]
    assert page.index("## Beyond") < page.index("| CONV-CHECKERBOARD |") < page.index("## Figures")
    assert "\n43 rows of the sources: 1 agrees, 1 differs, " in page
    assert "; 7 rows beyond them: 1 source in error, 6 not run.\n" in page
    assert page.index("## Beyond") < page.index("4,069") < page.index("## Figures")
    links = re.findall(r'src="([^"]*)"', page)
    assert links == ["results/rows/generator_sum.png"] and (tmp_path / links[0]).exists()


def test_a_damaged_record_is_not_run(tmp_path):
    (tmp_path / "optimal_discriminator.json").write_text("{")
    assert cells(table.make_page(dict.fromkeys(NAMES.values(), tmp_path), tmp_path, "x"), "B3")[-1] == "not run"


# Making rows.


def test_rows_are_made_once_and_the_page_stays_the_same(tmp_path, command, capsys):
    command(all=True, out=str(tmp_path))
    first, page = capsys.readouterr().out, (tmp_path / "REPRODUCTION.md").read_bytes()
    files = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir() if path.suffix != ".md"}
    command(all=True, out=str(tmp_path))
    assert re.search(r"\[1 of 3\] generator: agrees \(\d+ s left\)\n", first) and "[3 of 3] checkerboard" in first
    again = capsys.readouterr().out
    assert "..." not in again and "left" not in again
    assert (tmp_path / "REPRODUCTION.md").read_bytes() == page
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir() if path.suffix != ".md"} == files


def test_only_the_rows_asked_for(tmp_path, command, capsys):
    command(rows="b3,A5", out=str(tmp_path))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["REPRODUCTION.md", "optimal_discriminator.json"]
    assert "A5: no study makes these" in capsys.readouterr().out


def test_rows_that_fail_are_named_and_the_others_are_made(tmp_path, command, capsys, monkeypatch):
    more = {"generator": broken, "discriminator": refused}
    monkeypatch.setattr(reproduction, "collect_rows", lambda: entries("unused", **more))
    with pytest.raises(SystemExit) as ended:
        command(all=True, out=str(tmp_path))
    assert ended.value.code == 1
    said = capsys.readouterr()
    assert "generator: failed: ZeroDivisionError: nothing by nothing" in said.out
    assert said.out.endswith(
        "2 of 4 rows failed: generator: ZeroDivisionError: nothing by nothing; discriminator: no digits there.\n"
    )
    assert said.err.count("Traceback") == 1  # a bug's; what a user can cause is a sentence
    page = (tmp_path / "REPRODUCTION.md").read_text()
    assert cells(page, "A1")[-1] == "not run" and cells(page, "B3")[-1] == "differs: by chance"


@pytest.mark.parametrize("given", [{}, {"all": True, "rows": "A1"}])
def test_all_or_some(command, given):
    with pytest.raises(UserError, match="one of them"):
        command(**given)


def test_an_unknown_row_is_refused_with_near_ones(tmp_path, command):
    with pytest.raises(UserError, match="Did you mean checkerboard"):
        command(rows="checkerbord", out=str(tmp_path))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "quick, place", [(False, "experiments/reproduction/README.md"), (True, "runs/reproduction-quick/REPRODUCTION.md")]
)
def test_where_the_page_goes(tmp_path, command, monkeypatch, quick, place):
    monkeypatch.chdir(tmp_path)
    command(rows="A1", quick=quick)
    page = tmp_path / place
    (link,) = re.findall(r'src="([^"]*)"', page.read_text())
    assert (page.parent / link).exists()


# The article's networks.


@pytest.mark.parametrize(
    "name, verdict",
    [("generator", "source in error"), ("discriminator", "source in error"), ("initial_weights", "agrees")],
)
def test_rows_of_the_networks(name, verdict):
    made = networks.ROWS[name](Options(seeds=1, quick=True))
    assert made.verdict.startswith(verdict)


def test_the_prose_of_the_article_cannot_be_right():
    made = networks.generator(Options())
    # 5x5 kernels, 100 -> 8192 and 512 + 256 + 128 + 64 pairs of gamma and beta and as many statistics, bias 3.
    kernels = 100 * 8192 + 25 * (512 * 256 + 256 * 128 + 128 * 64 + 64 * 3)
    assert made.numbers["parameters"] == kernels + 4 * (512 + 256 + 128 + 64) + 3
    assert "512x512" in made.verdict and "209,715,200" in made.verdict


def test_training_is_the_articles(monkeypatch):
    made = networks.training_time(Options())
    assert (
        made.verdict.startswith("tested in small: all settings are the same; 30 epochs were not run")
        and made.numbers["steps"] == 63_825 // 64
    )
    monkeypatch.setitem(networks.TRAINING, "g_steps", 1)
    assert networks.training_time(Options()).verdict == "differs: in g_steps"


def test_help_and_mistakes_are_quick():
    for given, code, said in (("--help", 0, "--rows"), ("--rows=A1 --seeds=0", 2, "--seeds=0")):
        started = time.monotonic()
        called = [sys.executable, "-m", "experiments.reproduction", *given.split()]
        found = subprocess.run(called, capture_output=True, text=True, cwd=ROOT)
        assert found.returncode == code and said in found.stdout + found.stderr
        assert time.monotonic() - started < 2
