"""How hard a text is to read, by the index LIX: long sentences and long words make it hard.

    LIX = words / sentences + 100 * long words / words

Source: C. H. Björnsson, Readability of newspapers in 11 languages, Reading Research Quarterly
18 (1983), 480-497, https://doi.org/10.2307/747382. A long word has more than six letters.

Where it stops being true: in languages that put no space between words (Chinese, Japanese,
Thai), for verse and lists, and below about a hundred words. A dot after an abbreviation
counts as the end of a sentence.
"""

import re
import unicodedata
from typing import Literal

from pydantic import BaseModel, Field

# The end of a sentence: followed by a space or a closing mark, so that 3.14 has none, but for
# the marks of scripts that leave no space.
END = re.compile(r"[.!?:…؟]+(?=[\s\"'”’»)\]]|$)|[。！？।॥]+")
GRADES = {30: "very easy", 40: "easy", 50: "medium", 60: "hard"}


class Input(BaseModel):
    """A text."""

    text: str = Field(
        min_length=1,
        max_length=100_000,
        description="The text to judge, in any language that puts spaces between words",
        examples=["The cat sat on the mat. Extraordinary circumstances prevailed."],
    )


class Output(BaseModel):
    """What was counted, and what follows."""

    words: int = Field(description="How many words")
    sentences: int = Field(description="How many sentences")
    long_words: int = Field(description="How many words of more than six letters")
    lix: float | None = Field(description="The index (dimensionless); none without a word")
    grade: Literal["very easy", "easy", "medium", "hard", "very hard"] | None = Field(
        description="The index in words: below 30, 40, 50, 60, or above"
    )


def predict(inputs: Input) -> Output:
    """Count words and sentences, and weigh them."""
    text = unicodedata.normalize("NFC", inputs.text)
    lengths = [count for word in text.split() for count in letters(word)]
    words, long_words = len(lengths), sum(count > 6 for count in lengths)
    sentences = sum(any(letters(part)) for part in END.split(text))
    lix = words / sentences + 100 * long_words / words if words else None
    return Output(
        words=words, sentences=sentences, long_words=long_words, lix=lix, grade=grade(lix)
    )


def letters(text: str) -> list[int]:
    """How many letters each word has.

    An apostrophe or hyphen joins: "don't" is one word. So do vowel signs, which are no letters.
    """
    kinds = ((sign, unicodedata.category(sign)[0]) for sign in text)
    joined = "".join(
        "l" if kind == "L" else "m" if kind == "M" or sign in "'’-" else " " for sign, kind in kinds
    )
    return [word.count("l") for word in joined.split() if "l" in word]


def grade(lix: float | None) -> str | None:
    """The index in words."""
    if lix is None:
        return None
    return next((name for limit, name in GRADES.items() if lix < limit), "very hard")
