"""Words of a case file: edges of bands, rounding towards 1, sentences in both directions, and what must not be said."""

import numpy as np
import pytest

from dfworkbench.datasets.domain import caveat
from dfworkbench.evaluation.metrics.likelihood_ratios import Bounds
from dfworkbench.evidence.case import Check, LrValue
from dfworkbench.evidence.rules import words
from dfworkbench.evidence.rules.forbidden_words import forbidden_words

CAVEAT = caveat({"provenance": {"domain": "generated"}})


def value(lr, low, high):
    llr, low, high = np.log10([lr, low, high])
    return LrValue(float(llr), float(low), float(high), float(llr), Bounds(-2, 2, 100, 100))


@pytest.mark.parametrize(
    ("lr", "number"),
    [(1, 0), (2, 0), (2.001, 1), (10, 1), (10.01, 2), (100, 2), (100.1, 3), (1e3, 3), (1001, 4), (1e4, 4), (1.001e4, 5), (1e6, 5),
     (1.001e6, 6), (0.5, 0), (0.499, -1), (0.1, -1), (0.0999, -2), (1e-6, -5), (0.99e-6, -6)],
)  # fmt: skip
def test_an_edge_belongs_to_the_weaker_band(lr, number):
    assert words.band(np.log10(lr)) == number


@pytest.mark.parametrize(
    ("lr", "text"),
    [(1430, "1,400"), (28.4, "28"), (9.99, "9.9"), (1.36, "1.3"), (1, "1.0"), (0.99, "0.99"), (0.606, "0.61"), (0.0601, "0.061"),
     (10, "10"), (1e6, "1,000,000"), (99.9, "99"), (0.999, "1.0"), (5.01e-5, "0.000051")],
)  # fmt: skip
def test_numbers_are_rounded_towards_1(lr, text):
    assert words.rounded_lr(np.log10(lr)) == text


def test_numbers_that_are_none():
    assert [words.rounded_lr(x) for x in (float("nan"), np.inf, -np.inf)] == ["not known", "infinite", "0"]


def test_rounding_never_leaves_1():
    for llr in np.random.default_rng(0).uniform(-6, 6, 500):
        shown = float(words.rounded_lr(llr).replace(",", ""))
        assert abs(np.log10(shown)) <= abs(llr) + 1e-9


def test_a_finding_for_each_proposition():
    text = words.finding(value(13, 6.4, 27))
    assert text == (
        "The findings are about 13 times more probable if H1 is true than if H2 is true (sampling of the reference people, 95 %: "
        "6.4 to 27). This is weak support for H1 rather than H2."
    )
    turned = words.finding(value(1 / 13, 1 / 27, 1 / 6.4))
    assert turned == text.replace("H1", "?").replace("H2", "H1").replace("?", "H2")


def test_the_band_goes_by_the_end_nearest_to_1():
    assert words.supported_band(value(50, 11, 90)) == 2
    assert words.supported_band(value(50, 9, 90)) == 1
    assert words.supported_band(value(0.02, 0.011, 0.2)) == -1


def test_an_interval_that_holds_1_is_a_statement_without_support():
    text = words.finding(value(4, 0.6, 12))
    assert "4.0 times more probable if H1" in text
    assert "0.60 to 12" in text
    assert text.endswith("This is no support for either proposition.")
    assert "No statement" not in text
    assert words.support(value(4, 1.0, 12)) == words.NO_SUPPORT


def test_equal_findings():
    assert "about equally probable if H1 is true and if H2 is true" in words.finding(value(1.05, 0.9, 1.2))


def test_no_interval_no_band():
    text = words.finding(value(13, np.nan, np.nan))
    assert "support" not in text
    assert "Without an interval" in text
    assert words.supported_band(value(13, np.nan, np.nan)) is None


def test_the_scale_is_printed_whole():
    table = words.scale()
    assert table[0] == ("up to 2", "no support for either proposition")
    assert table[1] == ("2 to 10", "weak support")
    assert table[-1] == ("above 1,000,000", "extremely strong support")
    assert len(table) == 7


def test_no_statement_gives_all_reasons_and_no_direction():
    text = words.no_statement("person 1", [Check("R4", True, "There are 5 people."), Check("R7", True, "It is odd.")])
    assert text.startswith("No statement can be made about person 1. Reason: There are 5 people. (R4) It is odd. (R7)")
    assert text.endswith("This is not a finding in either direction.")


def test_propositions_name_the_face_and_the_kinds():
    h1, h2 = words.propositions("person 2", "clip.mp4", ["swap", "puppet"])
    assert all(word in h1 for word in ("person 2", "clip.mp4", "(swap, puppet)"))
    assert "genuine files of the reference set" in h2
    assert all("3 faces" in one for one in words.file_propositions("clip.mp4", 3))


def test_limits_say_what_must_be_said():
    found = words.limits(50, 40, ["swap"], CAVEAT)
    assert found[0] == CAVEAT
    assert len(found) == 7
    assert len(words.limits(50, 40, ["swap"])) == 6
    text = " ".join(found)
    for part in (
        "faces only, not of sound",
        "deceive this detector",
        "processed like",
        "another may differ",
        "50 with",
        "not accredited",
    ):
        assert part in text


def test_own_words_are_allowed():
    sentences = [words.finding(value(*lr)) for lr in ((13, 6, 27), (0.1, 0.02, 0.3), (1.2, 0.5, 3))]
    sentences += [
        *words.propositions("person 1", "a.mp4", ["swap"]),
        *words.file_propositions("a.mp4", 2),
        *words.limits(50, 50, []),
    ]
    sentences += [words.NO_FINDING, *(row for rows in words.scale() for row in rows)]
    assert [forbidden_words(text) for text in sentences] == [[]] * len(sentences)
    assert forbidden_words(" ".join(words.limits(50, 50, [], CAVEAT)), quoted=[CAVEAT]) == []


@pytest.mark.parametrize(
    "text",
    ["The probability that the face is fake is 0.9.", "confidence that it is genuine", "90 % fake", "87.5% manipulated",
     "probably fake", "This is a deepfake", "an authentic video", "the file was verified", "this proves it", "it is certain",
     "they match", "it cannot be excluded", "the findings are consistent with H1", "a false positive probability of 2 %",
     "the fake probability", "Verdict: fake", "the chance that this\nface was manipulated"],
)  # fmt: skip
def test_forbidden(text):
    assert forbidden_words(f"Before. {text} After.")


@pytest.mark.parametrize(
    "text",
    ["Verify the folder with --verify.", "an uncertain sign", "ascertained", "authenticity", "matches",
     "consistent with H1 and with H2", "more probable if H1 is true", "manipulated faces of real people", "certainly"],
)  # fmt: skip
def test_whole_words_only(text):
    assert forbidden_words(text) == []


def test_quoted_passages_are_left_out_and_places_are_in_order():
    text = "It is certain. 'It proves it.' The verdict."
    assert forbidden_words(text) == ["certain", "proves", "verdict"]
    assert forbidden_words(text, quoted=["It proves it."]) == ["certain", "verdict"]
