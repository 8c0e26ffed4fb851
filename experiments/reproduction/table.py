"""The page of the reproduction: every claim of the sources and what was measured, from the rows' records alone."""

from __future__ import annotations

import os
import re
from pathlib import Path

from experiments.framework import study
from experiments.reproduction.sources import ERRORS, NAMES, SOURCES, Source

NOT_RUN = "not run"
_HEAD = "| id | row | what | published | ours | spread | verdict |\n|---|---|---|---|---|---|---|\n"


def make_page(results: dict[str, Path], beside: Path, command: str) -> str:
    """The page in Markdown.

    Args:
      results: a row's name -> the folder of its record and pictures.
      beside: the folder of the page, from which pictures are linked.
      command: the command that writes the page.
    """
    records = {}
    for id in dict.fromkeys([*SOURCES, *NAMES]):
        name = NAMES.get(id, "")
        records[id] = study.read_record(results[name] / f"{name}.json") if name in results else None
    beyond = [id for id in records if id not in SOURCES]
    drawn = [(id, record) for id, record in records.items() if record and record["pictures"]]
    return "\n".join(
        [
            "# What was reproduced\n",
            f"Written by `{command}` from the records of the studies; do not edit. Each row's numbers are kept as JSON "
            "and its table as CSV in `results/` of its study. A1 to F4 are the sources' claims, figures and numbers. "
            "Where no study makes a row, its command and the tests that check it are given instead of a number.\n",
            _summary(records),
            _HEAD + "".join(_line(id, records[id]) for id in SOURCES),
            "## Beyond the sources\n",
            _HEAD + "".join(_line(id, records[id]) for id in beyond),
            "## Errors of the sources\n",
            'Those that a row shows have the verdict "source in error". Besides:\n',
            "".join(f"* {error}\n" for error in ERRORS),
            *(["## Figures\n"] if drawn else []),
            *(_figures(id, record, results[NAMES[id]], beside) for id, record in drawn),
        ]
    )


def _summary(records: dict[str, dict | None]) -> str:
    """Counts of verdicts: of the sources' rows, and apart from them of those beyond the sources."""
    beyond, counts = [id for id in records if id not in SOURCES], []
    for rows, name in ((list(SOURCES), "rows of the sources"), (beyond, "rows beyond them")):
        kinds = [_verdict(id, records[id]).partition(":")[0] for id in rows]
        counted = {kind: kinds.count(kind) for kind in dict.fromkeys([*study.VERDICTS, *sorted(kinds)])}
        counts.append(f"{len(rows)} {name}: " + ", ".join(f"{n} {kind}" for kind, n in counted.items() if n))
    return f"{'; '.join(counts)}.\n"


def _verdict(id: str, record: dict | None) -> str:
    if record:
        return record["verdict"]
    source = SOURCES.get(id)
    if not source or not source.command:
        return NOT_RUN
    return f"{study.IN_SMALL}: {NOT_RUN}: {source.not_run}" if source.not_run else "tested"


def _line(id: str, record: dict | None) -> str:
    source = SOURCES.get(id, Source("", ""))
    if record:
        what, *cells = (_escape(record[part]) for part in ("title", "published", "ours", "spread", "verdict"))
        cells[2] += " (quick form)" if record["options"]["quick"] else ""
    else:
        tests = ", ".join(f"`{test}`" for test in source.tests)
        ours = f"`{source.command}`; checked by {tests}" if source.command else NOT_RUN
        what, *cells = _escape(source.what), _escape(source.published), ours, "", _verdict(id, record)
    cells = [NAMES.get(id, ""), what, *cells]
    linked = f"[{id}](#{id.lower()})" if record and record["pictures"] else id
    return f"| {linked} | " + " | ".join(cells) + " |\n"


def _escape(text: str) -> str:
    """Escape what Markdown would take for a table's border, emphasis or a tag."""
    return re.sub(r"[|*<]", r"\\\g<0>", " ".join(text.split()))


def _figures(id: str, record: dict, folder: Path, beside: Path) -> str:
    """The row's pictures, small and linked to the originals, with a caption."""
    title = _escape(record["title"])
    pictures = "\n".join(
        f'<a href="{link}"><img src="{link}" width="640" alt="{id}: {record["title"]}"></a>\n'
        for link in (_path(folder / picture, beside) for picture in record["pictures"])
    )
    return f"### {id}\n\n{pictures}\n*{title}. {_escape(record['ours'])}. Verdict: {_escape(record['verdict'])}.*\n"


def _path(path: Path, beside: Path) -> str:
    return Path(os.path.relpath(path, beside)).as_posix()
