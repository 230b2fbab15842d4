"""Sections of the document of measurements: each benchmark writes its own and leaves the others."""

from __future__ import annotations

import re
from pathlib import Path

Verdict = tuple[str, str, str, bool]  # target, bound, measured, met


def table(head: list[str], rows: list[list[str]]) -> list[str]:
    return ["| " + " | ".join(head) + " |", "|" + "---|" * len(head), *("| " + " | ".join(row) + " |" for row in rows)]


def verdict_table(verdicts: list[Verdict]) -> list[str]:
    return table(["target", "bound", "measured", ""], [[target, bound, value, "met" if met else "**missed**"] for target, bound, value, met in verdicts])


def write_section(output: Path, name: str, lines: list[str]) -> None:
    """Puts the section in its place, or at the end."""
    section = "\n".join([f"<!-- {name} -->", *lines, f"<!-- /{name} -->", ""])
    text = output.read_text() if output.exists() else "# Benchmarks\n"
    known = re.compile(rf"<!-- {name} -->\n.*?<!-- /{name} -->\n", re.DOTALL)
    text = known.sub(lambda _: section, text) if known.search(text) else text.rstrip("\n") + "\n\n" + section
    output.write_text(text)
