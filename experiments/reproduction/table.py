"""REPRODUCTION.md: every row of the sources beside what was made of it, from the rows' records alone."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from experiments.framework import study
from experiments.reproduction.sources import SOURCES, Source

NOT_RUN = "not run"
_HEAD = "| row | what | published | ours | spread | verdict |\n|---|---|---|---|---|---|\n"


def page(rows: Iterable[str], folder: Path, beside: Path, command: str) -> str:
    """The page in Markdown.

    Args:
      rows: ids of the rows that studies make; those that `SOURCES` lacks are "beyond the sources".
      folder: where the records and pictures are.
      beside: the folder that the page will be in: pictures are linked from there.
      command: what made it.
    """
    records = {name: study.read(folder / f"{name}.json") for name in dict.fromkeys([*SOURCES, *rows])}
    beyond = [name for name in records if name not in SOURCES]
    parts = [
        "# What was reproduced\n",
        f"Written by `{command}` from the records in `{_path(folder, beside)}`; do not edit. Each row's numbers are "
        "there as JSON, its table as CSV. Rows A1 to F4 are the sources' claims, figures and numbers. Where no study "
        "makes a row, its command and the tests that hold it stand in place of a number.\n",
        _summary(records),
        _HEAD + "".join(_line(name, records[name]) for name in SOURCES),
    ]
    if beyond:
        parts += ["## Beyond the sources\n", _HEAD + "".join(_line(name, records[name]) for name in beyond)]
    drawn = [(name, record) for name, record in records.items() if record and record["pictures"]]
    if drawn:
        parts += ["## Figures\n", *(_figures(name, record, folder, beside) for name, record in drawn)]
    return "\n".join(parts)


def _summary(records: dict[str, dict | None]) -> str:
    kinds = [_verdict(name, record).partition(":")[0] for name, record in records.items()]
    counted = {kind: kinds.count(kind) for kind in dict.fromkeys([*study.VERDICTS, *sorted(kinds)])}
    return f"{len(records)} rows: " + ", ".join(f"{count} {kind}" for kind, count in counted.items() if count) + ".\n"


def _verdict(name: str, record: dict | None) -> str:
    if record:
        return record["verdict"]
    source = SOURCES.get(name)
    if not source or not source.command:
        return NOT_RUN
    return f"tested in small: {NOT_RUN}: {source.not_run}" if source.not_run else "tested"


def _line(name: str, record: dict | None) -> str:
    source = SOURCES.get(name, Source("", ""))
    if record:
        what, *cells = (_plain(record[part]) for part in ("title", "published", "ours", "spread", "verdict"))
        cells[2] += " (quick form)" if record["options"]["quick"] else ""
    else:
        tests = ", ".join(f"`{test}`" for test in source.tests)
        ours = f"`{source.command}`; held by {tests}" if source.command else NOT_RUN
        what, *cells = _plain(source.what), _plain(source.published), ours, "", _verdict(name, record)
    cells = [what, *cells]
    linked = f"[{name}](#{name.lower()})" if record and record["pictures"] else name
    return f"| {linked} | " + " | ".join(cells) + " |\n"


def _plain(text: str) -> str:
    """Text that Markdown takes neither for a table's border nor for emphasis or a tag."""
    return re.sub(r"[|*<]", r"\\\g<0>", " ".join(text.split()))


def _figures(name: str, record: dict, folder: Path, beside: Path) -> str:
    """The row's pictures with a caption; small, and linked to the whole ones."""
    title = _plain(record["title"])
    pictures = "\n".join(
        f'<a href="{link}"><img src="{link}" width="640" alt="{name}: {record["title"]}"></a>\n'
        for link in (_path(folder / picture, beside) for picture in record["pictures"])
    )
    return f"### {name}\n\n{pictures}\n*{title}. {_plain(record['ours'])}. Verdict: {_plain(record['verdict'])}.*\n"


def _path(path: Path, beside: Path) -> str:
    return Path(os.path.relpath(path, beside)).as_posix()
