"""Proposers: anything with `proposals() -> Iterator[str]`, task texts that the ladder has yet to believe."""
