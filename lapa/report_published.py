"""What the paper measured, setting by setting, to be shown beside our own: another benchmark, so never in one scale."""

from typing import NamedTuple

SOURCE = "LAPA, arXiv 2410.11758"
LANGUAGE_TABLE, SIMPLER = "Language Table", "SIMPLER"


class Published(NamedTuple):
    """Success of the paper's arms in %, (seen, unseen); SIMPLER has one figure, which stands as seen."""

    benchmark: str
    arms: dict[str, tuple[float, float | None]]

    def share(self, arm: str) -> float | None:
        """The arm's share of the gap between scratch and ActionVLA, of the figures on seen tasks; 1 is all of it."""
        (low, _), (high, _) = self.arms["scratch"], self.arms["actionvla"]
        if arm not in self.arms or arm in ("scratch", "actionvla"):
            return None
        return (self.arms[arm][0] - low) / (high - low)


PUBLISHED = {
    "in_domain": Published(LANGUAGE_TABLE, {
        "scratch": (15.6, 15.2), "unipi": (22.0, 13.2), "vpt": (44.0, 32.8), "lapa": (62.0, 49.6), "actionvla": (77.0, 58.8),
    }),
    "cross_task": Published(LANGUAGE_TABLE, {
        "scratch": (27.2, 22.4), "unipi": (20.8, 16.0), "vpt": (72.0, 60.8), "lapa": (73.2, 54.8), "actionvla": (77.0, 58.8),
    }),
    "cross_environment": Published(LANGUAGE_TABLE, {
        "scratch": (15.6, 15.2), "unipi": (13.6, 12.0), "vpt": (18.0, 18.4), "lapa": (33.6, 29.6), "actionvla": (64.8, 54.0),
    }),
    "human": Published(SIMPLER, {"scratch": (34.4, None), "lapa": (52.1, None), "actionvla": (63.5, None)}),
}  # fmt: skip
