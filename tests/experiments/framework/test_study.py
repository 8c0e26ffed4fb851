"""The framework of the studies: rows are made once, a stopped study continues, and errors are sentences."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from dcgan_tf.errors import UserError
from experiments.framework import study
from experiments.framework.study import Options, Row

RESULTS = "nowhere"  # a study's own folder, where --out names no other


class Counted:
    """A row that counts how often it is made."""

    def __init__(self, **parts):
        self.times, self.parts = 0, parts

    def __call__(self, options):
        self.times += 1
        return row(**self.parts)


def row(verdict="agrees", **parts):
    return Row("sum", "2", "2.01", "0.01 (5 seeds)", verdict, {"sum": 2.01}, **parts)


def draw_line():
    figure = study.new_figure(2, 1)
    figure.subplots().plot([0, 1])
    return figure


@pytest.fixture
def given(monkeypatch):
    """Sets the flags of a study's command."""
    defaults = {"only": "", "seeds": 5, "quick": False, "data_dir": "", "out": "", "again": False}
    return lambda **values: monkeypatch.setattr(study, "FLAGS", SimpleNamespace(**defaults | values))


# Verdicts.


@pytest.mark.parametrize("verdict", ["agrees", "agrees: nearly", "differs: chance", "source in error: a product"])
def test_verdicts(verdict):
    assert row(verdict).verdict == verdict


@pytest.mark.parametrize("verdict", ["", "yes", "agreed", "differs from it"])
def test_other_verdicts_are_refused(verdict):
    with pytest.raises(ValueError, match="begins with one of agrees, differs, source in error"):
        row(verdict)


# Making a row.


def test_numbers_table_and_figures_of_a_row_are_written(tmp_path):
    frames = [np.full((4, 6, 3), 60 * n, np.uint8) for n in range(3)]
    made = Counted(table=[["a", "b"], [1, "x,y"]], figures={"sum_curve": draw_line()}, animations={"sum_walk": frames})
    record = study.make_row("sum", made, Options(), tmp_path)
    assert json.loads((tmp_path / "sum.json").read_text()) == record
    assert record["ours"] == "2.01" and record["numbers"] == {"sum": 2.01}
    assert record["pictures"] == ["sum_curve.png", "sum_walk.gif"]
    assert (tmp_path / "sum.csv").read_text() == 'a,b\n1,"x,y"\n'
    assert (tmp_path / "sum_curve.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "sum_walk.gif").read_bytes().startswith(b"GIF8")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["sum.csv", "sum.json", "sum_curve.png", "sum_walk.gif"]


def test_a_row_is_made_once(tmp_path):
    made = Counted()
    first = study.make_row("sum", made, Options(), tmp_path)
    assert study.make_row("sum", made, Options(), tmp_path) == first and made.times == 1
    study.make_row("sum", made, Options(), tmp_path, again=True)
    assert made.times == 2


@pytest.mark.parametrize("other", [{"seeds": 4}, {"quick": True}, {"data_dir": "my/digits"}])
def test_other_options_make_a_row_again(tmp_path, other):
    made = Counted()
    study.make_row("sum", made, Options(), tmp_path)
    study.make_row("sum", made, Options(**other), tmp_path)
    assert made.times == 2
    assert study.find_record("sum", Options(), tmp_path) is None
    assert study.find_record("sum", Options(**other), tmp_path)["options"] == {
        "seeds": 5,
        "quick": False,
        "data_dir": "",
    } | {name: value if name != "data_dir" else "digits" for name, value in other.items()}


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '"sum"', '{"row": "sum"}', "\xff\xfe"])
def test_a_row_with_a_damaged_record_is_made_again(tmp_path, content):
    made = Counted()
    record = study.make_row("sum", made, Options(), tmp_path)
    (tmp_path / "sum.json").write_bytes(content.encode("latin-1"))
    assert study.read_record(tmp_path / "sum.json") is None
    assert study.make_row("sum", made, Options(), tmp_path) == record and made.times == 2


@pytest.mark.parametrize("part", ["title", "published", "ours", "spread", "verdict", "numbers", "pictures", "options"])
def test_a_record_without_one_of_its_parts_is_damaged(tmp_path, part):
    record = study.make_row("sum", Counted(), Options(), tmp_path)
    del record[part]
    (tmp_path / "sum.json").write_text(json.dumps(record))
    assert study.read_record(tmp_path / "sum.json") is None


def test_a_row_with_a_missing_picture_is_made_again(tmp_path):
    made = Counted(figures={"sum_curve": draw_line()})
    study.make_row("sum", made, Options(), tmp_path)
    (tmp_path / "sum_curve.png").unlink()
    study.make_row("sum", made, Options(), tmp_path)
    assert made.times == 2 and (tmp_path / "sum_curve.png").exists()


def test_a_stopped_study_continues_with_the_next_row(tmp_path, given):
    def stopped(options):
        raise KeyboardInterrupt

    first, last = Counted(), Counted()
    given(out=str(tmp_path))
    with pytest.raises(KeyboardInterrupt):
        study.main({"sum": first, "difference": stopped, "product": last}, RESULTS)
    assert (first.times, last.times) == (1, 0) and not (tmp_path / "difference.json").exists()
    study.main({"sum": first, "difference": Counted(), "product": last}, RESULTS)
    assert (first.times, last.times) == (1, 1)


def test_a_row_is_described_in_five_lines(tmp_path, given, capsys):
    given(out=str(tmp_path))
    study.main({"sum": Counted()}, RESULTS)
    assert capsys.readouterr().out.endswith(
        "sum: sum\n  published: 2\n  ours: 2.01\n  spread: 0.01 (5 seeds)\n  verdict: agrees\n"
    )


def test_a_study_has_its_own_folder(tmp_path, given):
    given()
    study.main(study.name_rows(row_of_one), str(tmp_path / "results"))
    assert (tmp_path / "results" / "row_of_one.json").exists()


def row_of_one(options):
    return row()


# Choosing rows.


@pytest.mark.parametrize(
    "asked, expected",
    [
        ("", ["im2col", "he", "A1"]),
        (",", ["im2col", "he", "A1"]),
        ("he, im2col", ["he", "im2col"]),
        ("he,HE", ["he"]),
        ("a1,", ["A1"]),
    ],
)
def test_chosen_rows(asked, expected):
    assert study.choose_rows(asked, ["im2col", "he", "A1"]) == expected


def test_an_unknown_row_is_refused_with_near_ones():
    with pytest.raises(UserError, match=r"im2cool: no such row; .*he, im2col\. Did you mean im2col\?"):
        study.choose_rows("he,im2cool", ["he", "im2col"])
    with pytest.raises(UserError, match=r"xyz: no such row; there are he\.$"):
        study.choose_rows("xyz", ["he"])


def test_an_id_given_to_a_study_is_refused_with_the_command_that_takes_it(given, tmp_path):
    given(only="A13", out=str(tmp_path))
    with pytest.raises(
        UserError, match=r"A13: no such row; there are sum\..*`python -m experiments\.reproduction --rows=`"
    ):
        study.main({"sum": Counted()}, RESULTS)


@pytest.mark.parametrize("seeds", [0, -3])
def test_no_seeds_are_refused(seeds, given, tmp_path):
    given(seeds=seeds, out=str(tmp_path))
    with pytest.raises(UserError, match=rf"--seeds={seeds}: "):
        study.main({"sum": Counted()}, RESULTS)


@pytest.mark.parametrize("below", ["", "deeper", "deeper/still"])
def test_a_file_in_the_folders_place_is_refused_before_anything_is_made(tmp_path, given, below):
    (tmp_path / "file").write_text("mine")
    made = Counted()
    given(out=str(tmp_path / "file" / below))
    with pytest.raises(UserError, match="a file stands"):
        study.main({"sum": made}, RESULTS)
    assert made.times == 0 and (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    "quick, out, folder",
    [(False, "", None), (True, "", study.QUICK_RESULTS), (True, "here", "here"), (False, "here", "here")],
)
def test_where_the_results_go(given, quick, out, folder):
    given(quick=quick, out=out, seeds=2, data_dir="my/digits")
    options, found = study.read_options()
    assert (found and str(found)) == folder and options == Options(2, quick, "my/digits")


def test_a_figure_as_a_frame():
    assert study.render(draw_line()).shape == (110, 220, 3) and study.render(draw_line()).dtype == np.uint8
