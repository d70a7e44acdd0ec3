"""The report door: recipes' folders in, one self-contained page.html out, and the success table in the terminal."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf, open_dict
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lapa.files import atomic_path, write_json
from lapa.report_codes import Card, cards
from lapa.report_gather import Stage, gather
from lapa.report_numbers import bare_p, percent, points
from lapa.report_page import render
from lapa.report_seed_tables import seed_rows, seeds_terminal
from lapa.report_settings import is_transfer
from lapa.report_success import Comparison, Group, Success, compare
from lapa.report_tables import markdown, rows, terminal_table
from lapa.report_transfer import Rules, Transfer, single, transfer
from lapa.report_transfer_page import transfer_part
from lapa.stage import open_stage

PAGE = "page.html"
COMPARED = ("arm", "control", "claim", "measure", "alpha", "min_pairs")  # settings of report_success.compare


def main(cfg: DictConfig) -> None:
    """`lapa report runs=[DIR, …] out=DIR` (or one folder, `runs=DIR`): stages → page, success table."""
    out = Path(cfg.out)
    runs = [cfg.runs] if isinstance(cfg.runs, str) else cfg.runs  # letter by letter, "/" is the whole machine
    stages = gather([Path(run) for run in runs], skip=out)
    settled: Any = OmegaConf.to_container(cfg, resolve=True)
    rules = Rules(**{name: settled[name] for name in Rules._fields})
    found = transfer(stages, rules) if is_transfer(stages) else None
    success = found.success if found else compare(stages, **{name: settled[name] for name in COMPARED})
    inputs = {"runs": None} | {stage.name: stage.folder for stage in stages if stage.finished}
    with open_stage(_with_unfinished(cfg, stages), inputs) as frame:
        # What an unfinished stage has written so far is in no hash: show it as it is now.
        if not frame.done or not all(stage.finished for stage in stages):
            shown = {name: cfg[name] for name in ("title", "measure", "max_videos")}
            part = transfer_part(stages, found, rules, cfg.main_values, cfg.max_videos) if found else None
            write(out, render(stages, success, transfer=part, **shown), found or single(stages, success, rules))
            frame.finish(record="Page", count=1, verdict=success.verdict, headline=success.headline)
    show(success, found, [] if found else cards(stages), Console())
    print(f"page: {(out / PAGE).resolve()}")


def _with_unfinished(cfg: DictConfig, stages: Sequence[Stage]) -> DictConfig:
    """`cfg` with the names of unfinished stages, so that a page which names one is made anew when it is gone."""
    with open_dict(cfg):
        return OmegaConf.merge(cfg, {"unfinished": sorted(stage.name for stage in stages if not stage.finished)})  # type: ignore[return-value]


def write(out: Path, page: str, found: Transfer) -> None:
    """The page, its main table as table.json and table.md, several trainings as trainings.json; each whole or not at all."""
    write_json(out / "table.json", rows(found))
    if found.seeds:
        write_json(out / "trainings.json", seed_rows(found.seeds))
    for name, text in {PAGE: page, "table.md": markdown(found)}.items():
        with atomic_path(out / name) as partial:
            partial.write_text(text, encoding="utf-8")


def show(success: Success, found: Transfer | None, codes: Sequence[Card], console: Console) -> None:
    """Print the sentence, the same success table as on the page, what to read with care, and each card's verdict."""
    if success.overall or found or not codes:
        console.print(Text(f"\n{success.headline}", style="bold"), soft_wrap=True)
    if success.overall:
        console.print(success_table(success))
    if found:
        console.print(terminal_table(found, console.width))
    if found and found.seeds:
        console.print(seeds_terminal(found.seeds))
    for caution in success.cautions:
        console.print(Text(f"  • {caution}", style="dim"), soft_wrap=True)
    for card in codes:
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
    return f"{points(comparison.difference)} [{low}, {high}]", bare_p(comparison.p_value)
