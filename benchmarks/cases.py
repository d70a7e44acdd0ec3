"""What the quantizer is compared on: a case's name in, the settings that differ from the default out."""


def alone(**weights: float) -> list[str]:
    """These targets and no others; the residual keeps so little weight that it only teaches the decoder to draw."""
    all_weights = {"drift": 1e-6, "votes": 0, "coarse": 0, "flow": 0, "residual": 0.01} | weights
    return [f"{'' if name == 'drift' else 'targets.'}{name}.weight={weight}" for name, weight in all_weights.items()]


CASES: dict[str, list[str]] = {
    "default": [],
    **{name: [f"bottleneck={name}"] for name in ("vq", "rvq", "nsvq", "simvq", "fsq", "lfq")},
    "continuous": ["bottleneck=gaussian"],
    **{f"{name} alone": alone(**{name: 1}) for name in ("votes", "flow", "residual", "features", "ema")},
    "pixels alone": alone(residual=0, pixels=1),
    "drift alone": alone(drift=3),
    "no votes": ["targets.votes.weight=0", "drift.weight=3"],
    "no drift": ["drift.weight=1e-6"],
    "no coarse": ["targets.coarse.weight=0"],
    "no flow": ["targets.flow.weight=0"],
    "and features": ["targets.features.weight=0.5"],
    "and ema": ["targets.ema.weight=0.5"],
    "and reversal": ["reversal=0.1"],
    "and jitter": ["jitter.shift=0.05", "jitter.brightness=0.1", "jitter.contrast=0.1"],
    "and steady camera": ["steady.most=0.15"],
}
LABELLED = {
    f"and {percent} % labels": ["targets.labels.weight=1", f"data.label_percent={percent}"] for percent in (2, 10)
}


def overrides(words: list[str]) -> list[str]:
    """A case's words as `lapa train experiment=quantizer` wants them."""
    groups = {"bottleneck=": "bottleneck@model.settings.", "data.": ""}
    prefixes = [
        next((groups[start] for start in groups if word.startswith(start)), "model.settings.") for word in words
    ]
    return [prefix + word for prefix, word in zip(prefixes, words, strict=True)]
