"""video_data.text: one spelling, nothing unseen, no boilerplate, and every language left as it is."""

import time
import unicodedata

import pytest

from lapa.config import compose
from video_data.text import check_patterns, clean_text

BOILERPLATE = list(compose("build", ["out=x"]).boilerplate)

SAME = [
    "Öffne die Tür",
    "把杯子放到桌子上",
    "افتح الدرج",
    "می‌خواهم",
    "कप उठाओ",
    "เปิดประตู",
    "컵을 들어",
    "Move 2 cups left-to-right!",
]
CLEANED = {
    "  push \t the\n\u200bblock\x00 ": "push the block",
    "salt &amp; pepper": "salt & pepper",
    unicodedata.normalize("NFD", "Öffne die Tür"): "Öffne die Tür",
    "#C C lifts the cup": "lifts the cup",
    "open the door https://youtu.be/xyz?t=3": "open the door",
    "Knead dough. Like and subscribe!!": "Knead dough.",
    "pour water.mp4": "pour water",
    "write me: a.b@c.org now": "write me: now",
}


@pytest.mark.parametrize("text", SAME)
def test_words_of_any_language_stay(text):
    assert clean_text(text, BOILERPLATE) == text


@pytest.mark.parametrize("text", CLEANED)
def test_words_are_cleaned_once_and_for_all(text):
    cleaned = clean_text(text, BOILERPLATE)
    assert cleaned == CLEANED[text] and clean_text(cleaned, BOILERPLATE) == cleaned


def test_a_pattern_that_is_none_is_named():
    with pytest.raises(ValueError, match=r"boilerplate: '\(a' is no regular expression"):
        check_patterns(["(a"])


@pytest.mark.parametrize(
    "text", ["a@" * 50_000, "a." * 50_000, "x" * 100_000, "like, " * 20_000, "@" * 100_000, "www." * 9_000]
)
def test_a_text_made_to_hold_the_patterns_up_does_not(text):
    started = time.process_time()
    clean_text(text, BOILERPLATE)
    assert time.process_time() - started < 5
