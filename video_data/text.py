"""Words as people typed them in, the same words in one spelling out: of any language, which stays as it is."""

import html
import re
import unicodedata
from collections.abc import Sequence

# Letters of some languages need the joiners U+200C and U+200D; the other marks that nobody sees mean nothing in a caption.
UNSEEN = re.compile("[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


def clean_text(text: str, boilerplate: Sequence[str]) -> str:
    """`text` without HTML entities, control characters, and what the patterns of `boilerplate` match; composed (NFC), one
    space between words. Letters of all languages, their accents and their case stay.
    """
    text = UNSEEN.sub("", unicodedata.normalize("NFC", html.unescape(text)))
    text = "".join(" " if unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp") else letter for letter in text)
    for pattern in boilerplate:
        text = re.sub(pattern, " ", text)
    return " ".join(text.split())


def check_patterns(boilerplate: Sequence[str]) -> None:
    """ValueError that names the pattern that is no regular expression."""
    for pattern in boilerplate:
        try:
            re.compile(pattern)
        except re.error as error:
            raise ValueError(f"boilerplate: {pattern!r} is no regular expression ({error})") from error
