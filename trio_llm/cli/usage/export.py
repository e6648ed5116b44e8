"""What the books answer, for programs: JSON, and lines of comma-separated values."""

import csv
import io
from collections.abc import Sequence
from typing import Any, Final

from trio_llm.cli.amounts import exactly
from trio_llm.cli.stored import Place
from trio_llm.cli.terminal import printable
from trio_llm.cli.usage.report import Report
from trio_llm.store import UsageRow

_FORMULA: Final = ("=", "+", "-", "@")
_COUNTS: Final = (
    "attempts",
    "succeeded",
    "unpriced",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
)


def report_data(report: Report, place: Place) -> dict[str, Any]:
    """Give all of it as plain values: amounts as decimal strings, times in seconds."""
    question, projection = report.question, report.projection
    return {
        "store": str(place.path),
        "time_zone": place.time_zone,
        "since": question.since,
        "until": question.until,
        "only": question.only,
        "by": list(question.by),
        "total": _figures(report.total),
        "rows": _rows(report, question.by, report.rows),
        "days": _rows(report, ("day",), report.days),
        "providers": _rows(report, ("provider",), report.providers),
        "top_models": _rows(report, ("model",), report.models),
        "top_users": _rows(report, ("user",), report.users),
        "projection": {
            "days": projection.days,
            "cost": exactly(projection.cost.amount),
            "certainty": projection.cost.certainty.word,
            "per_day": exactly(projection.per_day),
            "basis_days": projection.basis_days,
        },
    }


def _rows(report: Report, by: Sequence[str], rows: Sequence[UsageRow]) -> list[dict[str, Any]]:
    return [
        {
            "key": dict(zip(by, row.key, strict=True)),
            **_figures(row),
            "share": report.share(row),
        }
        for row in rows
    ]


def _figures(row: UsageRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in _COUNTS} | {
        "cost": exactly(row.cost.amount),
        "certainty": row.cost.certainty.word,
        "latency": row.latency,
    }


def report_csv(report: Report) -> str:
    """Give the rows of the table, below a line of headings; amounts have all their digits.

    Names of users and tags are what somebody has sent: they are written as `cell` says.
    """
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    headings = map(cell, report.question.by)
    writer.writerow([*headings, *_COUNTS, "cost", "certainty", "latency"])
    for row in report.rows:
        writer.writerow([*map(cell, row.key), *_figures(row).values()])
    return written.getvalue()


def cell(text: str) -> str:
    """Give a text that neither steers a terminal nor is a formula to a spreadsheet.

    Control characters go; what begins as a formula does gets an apostrophe in front, which
    spreadsheets take for the mark of a text (OWASP, "CSV Injection").
    """
    plain = " ".join(printable(text).splitlines()).replace("\t", " ")
    return f"'{plain}" if plain.lstrip().startswith(_FORMULA) else plain
