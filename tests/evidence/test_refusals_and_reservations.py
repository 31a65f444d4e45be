"""Every rule R1 to R10 and S1 to S11 with facts for which it holds, and with facts just on the other side."""

from dataclasses import replace

import numpy as np
import pytest

from dfworkbench.evaluation.metrics.likelihood_ratios import Bounds
from dfworkbench.evidence.case import Check, LrValue
from dfworkbench.evidence.rules import refusals, reservations
from dfworkbench.evidence.rules.forbidden_words import forbidden_words

NO_SCORES = np.arange(0.0)
DISTINCT = np.linspace(-3, 3, 40)


def equal(count, total):
    return np.r_[np.full(count, 0.0), np.linspace(1, 2, total - count)]


def lr(llr, low, high, before=None, bound=1.3):
    return LrValue(llr, low, high, llr if before is None else before, Bounds(-bound, bound, 20, 25))


R = refusals
S = reservations
CASES = [
    # rule, facts for which it holds, facts for which it does not, words of the sentence that holds
    (R.r1_scored_frames, ("no_face", "no face was found", 0), ("ok", "", 8), ("no_face", "no face was found")),
    (R.r1_scored_frames, ("ok", "", 7), ("ok", "", 8), ("7 scored frames", "at least 8")),
    (R.r2_domain, ("generated", "generated", "real"), ("generated", "generated", "generated"), ("evidence real",)),
    (R.r2_domain, ("real", "real", "generated"), ("real", "real", "real"), ("evidence generated",)),
    (R.r2_domain, ("real", "generated", "generated"), ("unknown", "generated", "generated"), ("trained on real",)),
    (R.r3_overlap, (["the same pixels in demo (a.mp4)"],), ([],), ("same pixels in demo (a.mp4)",)),
    (R.r4_people, (9, 30), (10, 30), ("9 people", "at least 10")),
    (R.r4_people, (30, 9), (30, 10), ("9 with manipulated",)),
    (R.r5_discrimination, (0.8, 1.0, 0.5, 0.0), (0.8, 0.999, 0.5, 0.0), ("0.80", "1.00")),
    (R.r5_discrimination, (0.8, 0.9, 0.0, 0.0), (0.8, 0.9, 0.001, 0.0), ("slope of 0.00",)),
    (R.r5_discrimination, (0.8, 0.9, 0.5, 0.026), (0.8, 0.9, 0.5, 0.025), ("2.6 %",)),
    (R.r5_discrimination, (float("nan"), float("nan"), 0.5, 0), (0.1, 0.2, 0.5, 0.0), ("nan",)),
    (R.r6_audit, ("red",), ("green",), ("red",)),
    (R.r6_audit, (None,), ("green",), ("Nobody has checked",)),
    (R.r6_audit, ("green", ["p01", "p02"]), ("green", []), ("trained on 2", "p01, p02")),
    (R.r7_applicability, (1 / 21, 20), (2 / 21, 20), ("outside the reference set", "20 people")),
    (R.r7_applicability, (0.01, 200), (0.011, 200), ("0.010",)),
    (R.r7_applicability, (0.5, 20, ["frames per second"]), (0.5, 20, []), ("frames per second", "factor of 2")),
    (
        R.r8_processing,
        ({"weights": "aa"}, {"weights": "bb"}),
        ({"weights": "aa"}, {"weights": "aa"}),
        ("was aa, now bb",),
    ),
    (
        R.r8_processing,
        ({"version": "0.1.9"}, {"version": "0.2.0"}),
        ({"version": "0.1.0"}, {"version": "0.1.9"}),
        ("0.2.0",),
    ),
    (R.r8_processing, ({}, {"frames": "32"}), ({"frames": "32"}, {"frames": "32"}), ("was absent, now 32",)),
    (R.r9_default_value, (equal(17, 32), DISTINCT), (equal(16, 32), DISTINCT), ("17 of 32 frames",)),
    (R.r9_default_value, (DISTINCT, equal(6, 100)), (DISTINCT, equal(5, 100)), ("6 of 100 tracks",)),
    (R.r9_default_value, (DISTINCT, equal(2, 12)), ([1.0], DISTINCT), ("2 of 12 tracks",)),
    (R.r10_unchanged, ("a" * 64, "b" * 64), ("a" * 64, "a" * 64), ("aaaaaaaaaaaa before", "bbbbbbbbbbbb after")),
    (S.s1_few_people, (19, 40), (20, 40), ("19 people", "fewer than 20")),
    (S.s2_halves, ((0.2, 1.1),), ((0.2, 0.9),), ("1.5 and 12",)),
    (S.s2_halves, ((-0.1, 0.4),), ((-0.1, 0.2),), ("0.80 and 2.5",)),
    (S.s2_halves, ((-0.5, 0.5),), (None,), ("differently",)),
    (S.s3_unseen_kinds, ({"swap": 1.0, "puppet": 0.4},), ({"swap": 0.99, "puppet": 0.4},), ("swap (1.00)",)),
    (S.s3_unseen_kinds, ({},), ({"swap": 0.3},), ("one kind",)),
    (S.s4_calibration, (0.0501,), (0.05,), ("0.050", "Morrison")),
    (S.s5_sources, (2,), (3,), ("2 sources",)),
    (S.s6_applicability, (0.05, 40), (0.051, 40), ("0.050",)),
    (S.s6_applicability, (0.5, 40, ["codec"]), (0.5, 40, []), ("codec",)),
    (S.s8_source_tree, (True,), (None,), ("no commit",)),
    (S.s9_bound, (lr(1.3, 0.9, 1.3, 3.15),), (lr(1.2, 0.9, 1.29),), ("1,400 to 19", "25 people with genuine")),
    (
        S.s9_bound,
        (lr(-1.3, -1.3, -0.9, -2.0),),
        (lr(-1.2, -1.29, -0.9),),
        ("0.010 to 0.051", "20 people with manipulated"),
    ),
    (S.s9_bound, (lr(1.2, 0.9, 1.3),), (lr(1.2, 0.9, 1.29),), ("end of the interval",)),
    (S.s10_credentials, ("Invalid",), ("Valid",), ("Invalid",)),
    (S.s10_credentials, ("Invalid",), (None,), ("not valid",)),
    (S.s11_reference_person, (["p07"],), ([],), ("p07",)),
]


@pytest.mark.parametrize(("rule", "holds", "holds_not", "words"), CASES, ids=lambda x: getattr(x, "__name__", ""))
def test_both_sides(rule, holds, holds_not, words):
    yes, no = rule(*holds), rule(*holds_not)
    assert (yes.holds, no.holds) == (True, False)
    assert yes.code == no.code == rule.__name__.split("_")[0].upper()
    assert all(word in yes.sentence for word in words), yes.sentence
    for check in (yes, no):
        assert check.sentence.endswith((".", ")."))
        assert forbidden_words(check.sentence) == []


def test_rules_with_named_facts():
    assert not R.r1_scored_frames("ok", "", 1, picture=True).holds
    assert R.r1_scored_frames("ok", "", 0, picture=True).holds
    assert R.r1_scored_frames("ok", "", 94, failed=6).holds
    assert not R.r1_scored_frames("ok", "", 95, failed=5).holds
    assert R.r8_processing({"weights": "a"}, {"weights": "b"}).holds
    assert not R.r8_processing({"weights": "a"}, {"weights": "b"}, rescored=True).holds
    unnamed = S.s1_few_people(40, 40, named=False)
    assert unnamed.holds
    assert "people are not named: files of one person count apart" in unnamed.sentence
    assert S.s7_identities(2, told_apart=False).holds
    assert not S.s7_identities(1, told_apart=False).holds
    assert not S.s7_identities(2, told_apart=True).holds
    not_looked = S.s11_reference_person([], looked=False)
    assert not not_looked.holds
    assert "not looked at" in not_looked.sentence


def test_every_code_is_there():
    codes = {rule.__name__.split("_")[0].upper() for rule, *_ in CASES} | {S.s7_identities(1, told_apart=True).code}
    assert codes == {f"R{k}" for k in range(1, 11)} | {f"S{k}" for k in range(1, 12)}


def test_the_first_refusal_is_the_headline():
    checks = [Check("R10", True, ""), Check("R4", True, ""), Check("R2", False, ""), Check("S1", True, "")]
    assert R.headline(checks) == checks[1]
    assert R.headline([replace(check, holds=False) for check in checks]) is None


def test_a_p_that_r7_refuses_is_no_reservation():
    assert not S.s6_applicability(1 / 21, 20).holds
    assert S.s6_applicability(0.049, 40).holds
    assert S.unusual_quantities({"a": 0.05, "b": 0.051, "c": 0.01, "d": float("nan")}) == ("c", "a")
