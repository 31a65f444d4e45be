"""Case files with realistic numbers, made without a detector: one with a statement and one without."""

import dataclasses
import io
import re
from html import unescape
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from dfworkbench.core.names import FAKE
from dfworkbench.evaluation.metrics import likelihood_ratios as lrs
from dfworkbench.evidence.case import (
    NO_STATEMENT,
    STATEMENT,
    CaseFile,
    Check,
    EvidenceFile,
    LrValue,
    Nearest,
    Person,
    Quantity,
    Reference,
    Validation,
)
from dfworkbench.evidence.rules import words

KINDS = ("Deepfakes", "Face2Face", "FaceSwap")
CAVEAT = "This detector was trained on generated data only. It is not a verdict on real footage."
_HASH = "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"


def visible_text(html: str) -> str:
    """The text that a reader sees, and alt texts; without passages that are quoted to warn of them."""
    html = re.sub(r'alt="([^"]*)"', r">\1<", html)
    html = re.sub(r"</(?:t[dh]|p|li|h\d|div|dd|dt)>", " | ", html)  # sentences do not run from one block into the next
    html = re.sub(r"<q>.*?</q>|<style>.*?</style>|data:[^\"]*", " ", html, flags=re.DOTALL)
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html)))


def reference_rows(people: int, seed: int = 0) -> pd.DataFrame:
    """Two genuine and three manipulated tracks of each person, with scores that separate them fairly well."""
    rng = np.random.default_rng(seed)
    rows = [
        {
            "group": f"person {group:03d}",
            "label": int(kind != ""),
            "kind": kind,
            "score": usual + (1.7 if kind else -1.7) + own,
        }
        for group, usual in enumerate(rng.normal(0, 0.7, people))
        for kind, own in zip(("", "", *KINDS), rng.normal(0, 0.9, 5), strict=True)
    ]
    return pd.DataFrame(rows)


def made_validation(rows: pd.DataFrame) -> Validation:
    """Figures of leave-one-person-out LRs; intervals are made up."""
    scores, labels = rows["score"].to_numpy(), rows["label"].to_numpy()
    codes = rows["group"].astype("category").cat.codes.to_numpy().astype(np.int64)
    llr, _ = lrs.cross_fitted(scores, labels, codes, codes)
    weights = lrs.group_weights(labels, codes)
    cost, least = lrs.cllr(llr, labels, weights), lrs.cllr_min(llr, labels, weights)
    high, low = lrs.misleading(llr, labels)
    rates = {"H1 true, LR below 1": (high, high / 2, high * 1.7), "H2 true, LR above 1": (low, low / 2, low * 1.7)}
    kinds = pd.DataFrame({"kind": KINDS, "cllr": [0.31, 0.36, 0.44], "rows": [len(rows) // 5] * 3, "groups": [50] * 3})
    each = pd.Series(lrs.costs(llr, labels)).groupby(rows["group"].to_numpy()).agg(["mean", "size"])
    groups = each.sort_values("mean", ascending=False).reset_index()
    groups.columns = ["group", "cllr", "rows"]
    fit = lrs.fit_lr(scores, labels, codes)
    bounds = lrs.lr_bounds(llr, labels, codes)
    return Validation(
        cost, cost * 0.7, cost * 1.3, least, cost - least, lrs.devpav(llr, labels), rates, bounds, fit.slope, fit.offset, kinds,
        groups, llr, labels, codes, scores,
    )  # fmt: skip


def face_png(seed: int, size: int = 72) -> bytes:
    """A smooth coloured pattern in place of a face."""
    y, x = np.mgrid[:size, :size] / size
    waves = [np.sin(6 * (x * np.cos(a) + y * np.sin(a)) + a) for a in np.random.default_rng(seed).uniform(0, 6, 3)]
    buffer = io.BytesIO()
    Image.fromarray(np.uint8(127 + 90 * np.stack(waves, -1))).save(buffer, "PNG")
    return buffer.getvalue()


def _person(number: int, file: str, score: float, found: Validation, refusals: tuple[Check, ...] = ()) -> Person:
    name, bounds = f"person {number}", found.bounds
    rng = np.random.default_rng(number)
    frames = score + rng.normal(0, 0.6, 32)
    timeline = pd.DataFrame({"time_s": np.arange(32) * 0.31, "frame": np.arange(32) * 8, "score": frames})
    free = float(lrs.LrMap(found.slope, found.offset).llr(score))
    llr, low, high = (float(np.clip(value, bounds.low, bounds.high)) for value in (free, free - 0.31, free + 0.31))
    value = LrValue(
        llr, low, high, free, bounds, {kind: free + shift for kind, shift in zip(KINDS, (0.2, 0.0, -0.3), strict=True)}
    )
    quantities = (
        Quantity("face side (px)", 92.0, 80.0, 96.0, 118.0, 0.31, 0.71),
        Quantity("bits per pixel and frame", 0.112, 0.08, 0.11, 0.16, 0.12, 0.88),
        Quantity("codec", "h264", None, None, None, None, None),
        Quantity("detector features", None, None, None, None, 1.12, 0.41),
    )
    nearest = tuple(Nearest(f"0{i}.mp4", f"person {i:03d}", i % 2, 0.7 + i / 10, face_png(40 + i)) for i in range(3))
    made = Person(
        file, number - 1, name, 32, score, face_png(number), (free - 0.1, free + 0.1), timeline, value, refusals,
        (Check("S9", llr != free, "The bound cut the LR."), Check("S5", True, "The genuine reference files come from 1 source.")),
        quantities, 0.41, 1.9, f"About {name}: {words.finding(value)}", nearest,
    )  # fmt: skip
    if not refusals:
        return made
    return dataclasses.replace(made, lr=None, halves=None, sentence=words.no_statement(name, refusals), reservations=())


def made_case(
    *, refused: bool = False, people: int = 50, scores: tuple[float, ...] = (2.2,), question: str = ""
) -> CaseFile:
    """A case about one file, with as many people in it as there are scores.

    Args:
        refused: With five reference people, so that R4 holds.
        people: Reference people otherwise.
        scores: Score of each person; one of 40 lies outside the reference data (R7).
        question: As asked.
    """
    people = 5 if refused else people
    rows = reference_rows(people)
    found = made_validation(rows)
    few = Check(
        "R4", refused, f"The reference set has {people} people with genuine and {people} with manipulated faces; "
        "a statement needs at least 10 in each class.",
    )  # fmt: skip
    far = Check(
        "R7",
        True,
        "The face lies outside the reference set: it is unlike its people (p = 0.020, 50 people, limit 0.020).",
        0.02,
    )
    name = "interview.mp4"
    persons = []
    for number, score in enumerate(scores, start=1):
        holds = tuple(check for check, is_so in ((few, refused), (far, score == 40)) if is_so)
        persons.append(_person(number, name, score, found, holds))
    streams = [{"index": 0, "type": "video", "codec": "h264", "width": 640, "height": 360, "packets_sha256": _HASH}]
    file = EvidenceFile(
        Path(name), name, 1_254_733, _HASH, _HASH,
        {"format": "mov,mp4", "duration_s": 10.0, "streams": streams, "metadata": {"comment": "<script>alert(1)</script>"}},
        {"state": "No C2PA manifest is in the file. Most files have none; platforms remove them. This is not a finding."},
        "ok", "", tuple(persons), domain="generated", decoded={"frames read": 32, "size": "640 x 360"},
    )  # fmt: skip
    if len([person for person in persons if person.lr]) == len(persons) > 1:
        mean = float(np.log10(np.mean([10**person.lr.unbounded_llr for person in persons if person.lr])))
        llr = float(np.clip(mean, found.bounds.low, found.bounds.high))
        value = LrValue(llr, llr - 0.2, llr, mean, found.bounds)
        file = dataclasses.replace(file, lr=value, sentence=f"About {name}: {words.finding(value)}")
    sides = {"genuine": rows["label"] != FAKE, "manipulated": rows["label"] == FAKE}
    reference = Reference(
        "demo", "test", dict.fromkeys(sides, people), {side: int(which.sum()) for side, which in sides.items()},
        dict.fromkeys(KINDS, people), ("generator",), "generated", {"videos.csv": _HASH, "reference scores": _HASH},
        ("No person of the reference set was trained on.",), rows,
    )  # fmt: skip
    h1, h2 = words.propositions(persons[0].name if len(persons) == 1 else "person k", name, KINDS)
    method = {
        "detector": "mesonet4_demo (mesonet4)",
        "SHA-256 of the weights": _HASH,
        "domain": "generated",
        "frames": 32,
        "formula of an LR": "l = (slope x + offset) / ln 10",
        "settings": {"draws": 2000, "seed": 0},
    }
    log = tuple(
        {"n": n, "time": "2026-11-29T02:48:00Z", "event": event, "data": {}, "previous": _HASH, "hash": _HASH}
        for n, event in enumerate(("opened", "versions", "input", "fit", "result", "examined"))
    )
    return CaseFile(
        "2026-017", question, h1, h2, "N. N.", reference, found, (file,), (few, Check("R6", False, "The leakage audit is green.")),
        words.limits(people, people, KINDS, CAVEAT), method, {"command": f"dfworkbench report {name}", "platform": "Linux"}, _HASH,
        _HASH, None, STATEMENT if any(person.lr for person in persons) else NO_STATEMENT, "2026-11-29T02:48:00+00:00", log,
    )  # fmt: skip
