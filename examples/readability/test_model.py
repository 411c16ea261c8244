"""Does the model tell the truth? Held against texts whose words are counted by hand."""

import pytest
from pydantic import ValidationError

from model import Input, predict

COUNTED = {  # words, sentences, long words
    "The cat sat on the mat. Extraordinary circumstances prevailed.": (9, 2, 3),
    "One.": (1, 1, 0),
    "Nothing ends it": (3, 1, 1),
    "Wait … what?! It costs 3.14 euros: a lot.": (7, 4, 0),
    "Don't over-estimate the mother-in-law’s cat.": (5, 1, 2),
    "Åsa älskar räksmörgåsar.": (3, 1, 1),
    "Le café e\u0301tait fermé\u0301. C’est l’été\u0301!": (6, 2, 0),
    "Жили-были старик со старухой.": (4, 1, 2),
    "यह हिन्दी है। यह एक वाक्य है।": (7, 2, 0),
    "你好。再见！": (2, 2, 0),
    "هل هذا سؤال؟ نعم.": (4, 2, 0),
    "🚀 ... 1234 -- '": (0, 0, 0),
    " \t\n": (0, 0, 0),
}


@pytest.mark.parametrize(("text", "counts"), COUNTED.items())
def test_words_and_sentences_are_counted_in_every_script(text, counts):
    output = predict(Input(text=text))
    assert (output.words, output.sentences, output.long_words) == counts


@pytest.mark.parametrize(
    ("text", "lix", "grade"),
    [
        ("a b c d e. a b c d e.", 5, "very easy"),
        ("abcdefg a b c. " * 5, 4 + 25, "very easy"),
        (f"{'abcdefg a b ' * 6}.", 18 + 100 / 3, "hard"),
        (f"{'a ' * 29}.", 29, "very easy"),
        (f"{'a ' * 30}.", 30, "easy"),
        (f"{'a ' * 40}.", 40, "medium"),
        (f"{'a ' * 50}.", 50, "hard"),
        (f"{'a ' * 60}.", 60, "very hard"),
        ("...", None, None),
    ],
)
def test_the_index_is_what_the_formula_gives(text, lix, grade):
    output = predict(Input(text=text))
    assert (output.lix, output.grade) == (pytest.approx(lix), grade)


def test_how_an_accent_is_written_changes_nothing():
    assert predict(Input(text="Citroe\u0308n")) == predict(Input(text="Citroën"))


@pytest.mark.parametrize("text", ["", "a" * 100_001, 5, None])
def test_what_is_no_text_is_refused(text):
    with pytest.raises(ValidationError):
        Input(text=text)
