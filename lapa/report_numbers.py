"""Rates, differences, p-values, times in → how the page, the terminal and documents write them."""

from collections.abc import Sequence
from math import inf, isfinite

from lapa.stats_bootstrap import GapShare


def percent(rate: float) -> str:
    """0.615 → "62 %" (with a space that does not break)."""
    return f"{100 * rate:.0f}\u00a0%"


def p_text(p_value: float) -> str:
    """A p-value as it is read: never 0, two digits."""
    return "p\u00a0<\u00a00.0001" if p_value < 1e-4 else f"p\u00a0=\u00a0{p_value:.2g}"


def bare_p(p_value: float) -> str:
    """The same under a heading that says p: "0.043", "<0.0001"."""
    return p_text(p_value).replace("\u00a0", "").removeprefix("p").removeprefix("=")


def points(difference: float) -> str:
    """A difference of rates in percentage points, with its sign: 0.31 → "+31", -0.04 → "−4"."""
    return f"{100 * difference:+.0f}".replace("-", "\u2212")


def duration(seconds: float) -> str:
    """3725 → "1 h 2 min", 125 → "2 min 5 s", 5.25 → "5.2 s"."""
    if seconds < 60:
        return f"{seconds:.1f}\u00a0s" if seconds < 10 else f"{seconds:.0f}\u00a0s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}\u00a0min {rest}\u00a0s" if minutes < 60 else f"{minutes // 60}\u00a0h {minutes % 60}\u00a0min"


def short(number: float) -> str:
    """2100000 → "2.1 M", 1500 → "1,500"."""
    return f"{number / 1e6:.1f}\u00a0M" if number >= 1e6 else f"{number:,.0f}"


def signed(rate: float) -> str:
    """Whole percent with a true minus, no plus, and never -0: -0.04 → "−4"."""
    return f"{round(100 * rate)}".replace("-", "\u2212")


def bounds(interval: Sequence[float] | None) -> str:
    """(0.744, 0.901) → "[74, 90]"; empty for None."""
    if interval is None:
        return ""
    low, high = ("∞" if bound == inf else "\u2212∞" if bound == -inf else signed(bound) for bound in interval)
    return f"[{low}, {high}]"


def closed(share: GapShare | None, unit: str = "") -> str:
    """An arm's share of the gap: "38 [24, 53]", with `unit` behind the first number; words where it means nothing, and
    nothing where it was not taken.
    """
    if share is None or share.shown is None:
        return "no gap shown" if share else ""
    return f"{signed(share.shown)}{unit} {bounds(share.interval)}"


def finite(interval: Sequence[float] | None) -> list[float | None] | None:
    """The interval for JSON, which knows no infinity: null for a bound that is none."""
    return None if interval is None else [bound if isfinite(bound) else None for bound in interval]


def pipe_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table."""
    head, *lines = ["| " + " | ".join(cells) + " |" for cells in (heads, *rows)]
    return [head, "|" + "|".join("---" for _ in heads) + "|", *lines]
