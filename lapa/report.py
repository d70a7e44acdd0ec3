"""The report door: recipes' folders in, one self-contained page.html out, and the success table in the terminal."""

from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lapa.files import atomic_path
from lapa.report_codes import Card, cards
from lapa.report_gather import Stage, gather
from lapa.report_page import points, render
from lapa.report_success import Comparison, Group, Success, compare, p_text, percent
from lapa.stage import open_stage

PAGE = "page.html"


def main(cfg: DictConfig) -> None:
    """`lapa report runs=[DIR, …] out=DIR` (or one folder, `runs=DIR`): stages → page, success table."""
    out = Path(cfg.out)
    runs = [cfg.runs] if isinstance(cfg.runs, str) else cfg.runs  # letter by letter, "/" is the whole machine
    stages = gather([Path(run) for run in runs], skip=out)
    rules = {name: cfg[name] for name in ("arm", "control", "claim", "measure", "alpha", "min_pairs")}
    success = compare(stages, **rules)
    with open_stage(cfg, {"runs": None} | {stage.name: stage.folder for stage in stages if stage.finished}) as frame:
        # What an unfinished stage has written so far is in no hash: show it as it is now.
        if not frame.done or not all(stage.finished for stage in stages):
            write(out / PAGE, stages, success, cfg)
            frame.finish(record="Page", count=1, verdict=success.verdict, headline=success.headline)
    show(success, cards(stages), Console())
    print(f"page: {(out / PAGE).resolve()}")


def write(path: Path, stages: list[Stage], success: Success, cfg: DictConfig) -> None:
    """Render the page and put it at `path`, whole or not at all."""
    shown = {name: cfg[name] for name in ("title", "measure", "max_videos")}
    page = render(stages, success, **shown)
    with atomic_path(path) as partial:
        partial.write_text(page, encoding="utf-8")


def show(success: Success, found: Sequence[Card], console: Console) -> None:
    """Print the sentence, the same success table as on the page, what to read with care, and each card's verdict."""
    if success.overall or not found:
        console.print(Text(f"\n{success.headline}", style="bold"), soft_wrap=True)
    if success.overall:
        console.print(success_table(success))
    for caution in success.cautions:
        console.print(Text(f"  • {caution}", style="dim"), soft_wrap=True)
    for card in found:
        console.print(Text(f"\n{card.stage}: {card.lines[-1]}", style="bold"), soft_wrap=True)
        for line in card.lines[:-1]:
            console.print(Text(f"  • {line}"), soft_wrap=True)


def success_table(success: Success) -> Table:
    """A line an arm, over all tasks and then family by family, with the paired test against the control."""
    title = Text("success, [95 % Wilson interval]; difference in points, paired", style="italic")
    table = Table(title=title, box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("tasks", "arm", "success", "", "difference", "McNemar p"):
        table.add_column(name, justify="left" if name in ("tasks", "arm") else "right", no_wrap=True)
    groups = [success.overall, *success.families] if success.overall else []
    for group in groups:
        if len(success.families) > 1 or group is success.overall:
            _add_group(table, group)
    return table


def _add_group(table: Table, group: Group) -> None:
    for number, row in enumerate(group.rows):
        low, high = row.interval
        rate = f"{percent(row.rate)} [{100 * low:.0f}, {100 * high:.0f}]"
        first = "" if number else group.name
        cells = [first, row.arm, rate, f"{row.successes}/{row.episodes}", *_test(group.against(row.arm))]
        # Text: names come from files, and rich would read [brackets] in a plain str as style
        table.add_row(*map(Text, cells), end_section=number == len(group.rows) - 1)


def _test(comparison: Comparison | None) -> tuple[str, str]:
    if comparison is None:
        return "", ""
    low, high = (points(bound) for bound in comparison.interval)
    p_value = p_text(comparison.p_value).replace("\u00a0", "").removeprefix("p").removeprefix("=")
    return f"{points(comparison.difference)} [{low}, {high}]", p_value
