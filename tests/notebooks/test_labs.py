"""The graded labs: right answers pass, and every wrong one fails with a message of its own.

Data are made once for each lab (`open_lab` keeps them), so that a wrong answer costs nothing.
"""

import json
from itertools import combinations

import nbformat
import numpy as np
import pandas as pd
import pytest
from cells import run_cells

from dfworkbench import __main__ as cli
from dfworkbench.core.errors import AnswerError, DataNotFoundError, NotebookError, ParameterError
from dfworkbench.core.workspace import Workspace
from dfworkbench.notebook.labs import LABS, open_lab
from dfworkbench.notebook.labs.grading import judge_number, judge_set
from dfworkbench.notebook.labs.submissions import grade_folder, grade_notebook, write_grades
from dfworkbench.notebook.parameters import find_notebook
from dfworkbench.notebook.runner import run_notebook

pytestmark = pytest.mark.notebook

#: Pictures that each notebook shows.
SHOWN = dict(zip(LABS, (5, 4, 4, 3, 4), strict=True))

#: Per lab: an answer, a wrong value made from lab and right answers, and words of the hint that it deserves.
WRONG = [
    (1, 1, lambda lab, key: (1, 2), "You named 2 pictures"),
    (1, 1, lambda lab, key: (1, *range(1, len(lab.forged))), "named one twice"),
    (1, 2, lambda lab, key: key["answer_2"][1:], "smoother than the background"),
    (1, 2, lambda lab, key: genuine(lab), "A genuine picture is among them"),
    (1, 2, lambda lab, key: (0, 13), "cannot be chosen"),
    (1, 3, lambda lab, key: genuine(lab)[0], "no trace in picture"),
    (1, 3, lambda lab, key: next(n for n in lab.forged if n != lab.mouth_only), "more than the mouth"),
    (1, 4, lambda lab, key: 99, "Count the dots"),
    (1, 5, lambda lab, key: key["answer_5"] - 1, "or more hits with a probability of"),
    (1, 5, lambda lab, key: key["answer_5"] + 1, "but so are fewer hits"),
    (2, 1, lambda lab, key: 24, "Is everybody"),
    (2, 1, lambda lab, key: 24 - key["answer_1"], "on one side only"),
    (2, 1, lambda lab, key: 99, "both colours"),
    (2, 2, lambda lab, key: -key["answer_2"], "sign is reversed"),
    (2, 2, lambda lab, key: lab.auc_table()["mean AUC"].iloc[0], "not their difference"),
    (2, 2, lambda lab, key: 0.01, "Subtract"),
    (2, 3, lambda lab, key: 0.0, "Divide the two numbers"),
    (2, 4, lambda lab, key: key["answer_4"][1:], "follow the swaps"),
    (2, 4, lambda lab, key: (*key["answer_4"], key["answer_5"][0]), "not linked"),
    (2, 4, lambda lab, key: (*key["answer_4"], lab.asked_person), "need not be named"),
    (2, 5, lambda lab, key: key["answer_5"][:-1], "are partly in your test split"),
    (2, 5, lambda lab, key: key["answer_5"][1:], "people who are shown genuine"),
    (2, 5, lambda lab, key: key["answer_5"][:3], "people who are swapped"),
    (2, 5, lambda lab, key: tuple(lab.names), "leave at least half"),
    (2, 5, lambda lab, key: ("p99",), "cannot be chosen"),
    (3, 2, lambda lab, key: 1 - key["answer_2"], "fakes that are missed"),
    (3, 2, lambda lab, key: lab.rates(key["answer_1"])[0], "genuine clips that are flagged"),
    (3, 2, lambda lab, key: 0.3, "all 2000 fake test clips"),
    (3, 3, lambda lab, key: round(lab.flagged(key["answer_1"], lab.one_in)[1]), "number of fakes"),
    (3, 3, lambda lab, key: round(50_000 * lab.rates(key["answer_1"])[0]), "half of all clips"),
    (3, 3, lambda lab, key: 99_999, "Multiply"),
    (3, 4, lambda lab, key: key["answer_2"], "share of fakes that are flagged, not the share"),
    (3, 4, lambda lab, key: 0.94, "half of all clips were fakes"),
    (3, 4, lambda lab, key: 1 - key["answer_4"], "genuine"),
    (3, 4, lambda lab, key: 0.3, "the genuine ones included"),
    *((3, 5, lambda lab, key, place=place: others(lab.sentences.right)[place], "?:") for place in range(3)),
    (4, 1, lambda lab, key: "noise", "Another one"),
    (4, 2, lambda lab, key: 0, "There is a level"),
    (4, 2, lambda lab, key: key["answer_2"] - 1, "the texture detector still has"),
    (4, 3, lambda lab, key: 0.11, "Divide the flagged genuine"),
    (4, 4, lambda lab, key: "texture", "resized, and then compressed"),
    (4, 5, lambda lab, key: 0.1, "smallest number"),
    (4, 5, lambda lab, key: lab.auc("colour", "noise", 0), "as they are"),
    (5, 1, lambda lab, key: lab.other_name, "highest cells of this detector"),
    (5, 2, lambda lab, key: 0, "Count the pictures"),
    (5, 3, lambda lab, key: -key["answer_3"], "sign is reversed"),
    (5, 3, lambda lab, key: lab.auc(lab.marked_name, "forged"), "not the difference"),
    (5, 3, lambda lab, key: 0.9, "Subtract the two AUCs"),
    (5, 4, lambda lab, key: 4, "lower ends"),
    (5, 5, lambda lab, key: key["answer_5"][:1], "stays the same as well"),
    (5, 5, lambda lab, key: tuple("abcd"), "changes when the detector does"),
    (5, 5, lambda lab, key: ("e",), "cannot be chosen"),
]  # fmt: skip


def named(number):
    return list(LABS)[number - 1]


def genuine(lab):
    return tuple(n for n in range(1, 13) if n not in lab.forged)


def others(letter):
    return [other for other in "abcd" if other != letter]


def answers_to(name, **values):
    lab = open_lab(name)
    return lab.answers_class(**values)


@pytest.mark.parametrize("name", LABS)
def test_right_answers_pass(name, tmp_path):
    key = open_lab(name).key()
    values = {answer: list(value) if isinstance(value, tuple) else value for answer, value in key.items()}
    text, shown = run_cells(f"labs/{name}", values, Workspace(tmp_path), tmp_path / "ipython")
    assert f"{len(key)} of {len(key)} answers are right" in text
    assert shown == SHOWN[name]


@pytest.mark.parametrize(("number", "answer", "make", "words"), WRONG)
def test_a_wrong_answer_fails_with_a_message_of_its_own(number, answer, make, words):
    name, field = named(number), f"answer_{answer}"
    lab = open_lab(name)
    key = lab.key()
    wrong = make(lab, key)
    grades = lab.grade(answers_to(name, **key | {field: wrong}))
    later = {"answer_5"} if (number, answer) == (4, 4) else set()  # it is about the detector that was chosen
    assert {field} <= set(grades.hints()) <= {field} | later, wrong
    hint = grades.hints()[field]
    assert hint in lab.sentences._hints.values() if words == "?:" else words in hint, (wrong, hint)
    if not isinstance(key[field], (tuple, int)) and number != 3:
        assert str(key[field]) not in hint.split(), "a hint must not give the answer away"


@pytest.mark.parametrize("name", LABS)
def test_without_answers_each_is_missing(name):
    lab = open_lab(name)
    with pytest.raises(AnswerError) as caught:
        lab.check(answers_to(name))
    assert str(caught.value).count("No answer yet") == len(lab.key())
    assert "0 of 5" in str(caught.value)


def test_answers_about_other_data_are_refused():
    with pytest.raises(ParameterError, match=r"seed 1, .* seed 0"):
        open_lab("lab_3_thresholds").check(answers_to("lab_3_thresholds", seed=1))


def test_a_run_with_a_wrong_answer_fails_and_says_why(tmp_path):
    key = open_lab("lab_3_thresholds").key()
    space = Workspace(tmp_path)
    with pytest.raises(NotebookError, match="4 of 5 are right") as caught:
        run_notebook("labs/lab_3_thresholds", key | {"answer_4": key["answer_2"]}, workspace=space)
    assert "answer_4: That is the share of fakes that are flagged" in str(caught.value)
    executed = tmp_path / "report" / "notebooks" / "lab_3_thresholds.ipynb"
    grades, _ = grade_notebook(executed)  # what it was run with counts
    assert (grades.points, set(grades.hints())) == (4, {"answer_4"})


# what is right, by other means


def test_lab_1_chances_are_those_of_counting():
    lab = open_lab("lab_1_spot_the_forgery")
    forged = set(lab.forged)
    hits = [len(forged & set(guess)) for guess in combinations(range(1, 13), len(forged))]
    assert lab.chances == pytest.approx(np.bincount(hits) / len(hits))
    assert (
        np.mean([hit >= lab.beyond_guessing for hit in hits])
        <= 0.05
        < np.mean([h >= lab.beyond_guessing - 1 for h in hits])
    )
    assert {shot.is_fake for shot in lab.shots} == {True, False}
    mouth, whole = (
        np.mean([s.mask.mean() for s in lab.shots if (s.kind == "NeuralTextures") == only and s.is_fake])
        for only in (True, False)
    )
    assert 0 < mouth < whole / 2  # fmt: skip


def test_lab_2_detector_knows_people_and_partners_are_found_by_following_swaps():
    lab = open_lab("lab_2_leakage_by_identity")
    by_clip, by_person = (np.mean(values) for values in lab.aucs.values())
    assert by_clip > 0.85 > 0.65 > by_person
    donor = lab.videos.drop_duplicates("carrier").set_index("carrier")["donor"]
    seen, now = [], donor[lab.asked_person]
    while now != lab.asked_person:
        seen, now = [*seen, now], donor[now]
    assert sorted(seen) == lab.partners
    assert len(seen) == 4


def test_lab_3_by_bayes():
    lab = open_lab("lab_3_thresholds")
    key = lab.key()
    genuine_scores, fake_scores = lab.test
    hits, alarms = (fake_scores > key["answer_1"]).mean(), (genuine_scores > key["answer_1"]).mean()
    prior = 1 / lab.one_in
    assert key["answer_4"] == pytest.approx(prior * hits / (prior * hits + (1 - prior) * alarms), rel=0.01)
    assert key["answer_3"] == pytest.approx(100_000 * (1 - prior) * alarms, abs=1)
    assert (lab.validation[0] > key["answer_1"]).mean() <= 0.05


@pytest.mark.parametrize(("given", "words"), [(0.2, "at most 5%"), (0.995, "leaves room")])
def test_lab_3_a_threshold_too_low_or_too_high_gets_its_hint(given, words):
    # the other answers are about the threshold that was given, so they become wrong as well
    assert (
        words in open_lab("lab_3_thresholds").grade(answers_to("lab_3_thresholds", answer_1=given)).hints()["answer_1"]
    )


def test_lab_3_every_seed_has_answers_of_its_own():
    keys = [json.dumps(open_lab("lab_3_thresholds", seed).key()) for seed in range(5)]
    assert len(set(keys)) == 5


def test_lab_4_blur_breaks_texture_and_not_colour():
    lab = open_lab("lab_4_robustness")
    assert lab.auc("texture", "noise", 0) > 0.85 > lab.auc("texture", "blur", 3)
    assert lab.auc("colour", "blur", 3) == pytest.approx(lab.auc("colour", "noise", 0), abs=0.03)
    assert "not for the first time" in lab._jpeg_hint(5)
    assert lab.flagged("texture", "blur", 0)[0] == 2  # 5 % of 30


def test_lab_5_shapley_values_add_up_and_the_marked_detector_looks_at_the_mark():
    lab = open_lab("lab_5_explanations")
    for name in (lab.marked_name, lab.other_name):
        sums = lab.maps(name).sum(axis=(1, 2))
        weights, mean = lab._models[name]
        assert sums == pytest.approx(lab._cells("marked", slice(36, None)) @ weights - mean @ weights)
    places = np.array([np.unravel_index(values.argmax(), values.shape) for values in lab.maps(lab.marked_name)])
    assert (places >= 5).all(axis=1).mean() > 0.8
    assert lab.highest_in_mask(lab.other_name).mean() > 0.4
    assert lab.auc(lab.marked_name, "forged") < 0.75 < lab.auc(lab.other_name, "forged")


# judging


def test_hints_of_numbers_and_sets():
    assert judge_number(0.501, 0.5, 0.005, {}, "other") == ""
    assert judge_number(0.2, 0.5, 0.005, {"known": 0.2}, "other") == "known"
    assert judge_number(0.3, 0.5, 0.005, {"known": 0.2}, "other") == "other"
    assert judge_set([2, 1], (1, 2), range(5), ("extra", "missing")) == ""
    assert judge_set([1, 3], (1, 2), range(5), ("extra", "missing")) == "extra (1 too many and 1 missing)"


# a folder of submissions


def hand_in(folder, file, name, **values):
    notebook = nbformat.read(find_notebook(name), as_version=4)
    (cell,) = (cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))
    lines = []
    for line in cell.source.splitlines():
        parameter = line.partition(":")[0]
        value = values.get(parameter)
        lines.append(line if value is None else f"{line.partition(' = ')[0]} = {value!r}")
    cell.source = "\n".join(lines)
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path


def test_a_folder_is_graded_without_running_anything(tmp_path, capsys):
    key = open_lab("lab_3_thresholds").key()
    hand_in(tmp_path, "ann/lab.ipynb", "lab_3_thresholds", **key)
    hand_in(tmp_path, "ben/lab.ipynb", "lab_3_thresholds", **key | {"answer_4": 0.5, "answer_5": None})
    hostile = hand_in(tmp_path, "eve/lab.ipynb", "lab_3_thresholds", **key)
    notebook = nbformat.read(hostile, as_version=4)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(f"open({str(tmp_path / 'ran')!r}, 'w')"))
    notebook.metadata.pop("dfworkbench")  # then its name decides
    nbformat.write(notebook, tmp_path / "eve" / "lab_3_thresholds (1).ipynb")
    hostile.write_text("damaged")
    wrong_type = hand_in(tmp_path, "=f/lab.ipynb", "lab_3_thresholds", **key)
    wrong_type.write_text(wrong_type.read_text().replace(f"= {key['answer_2']!r}", "= print"))
    (tmp_path / "other.ipynb").write_text(find_notebook("00_start_here").read_text())

    assert cli.main(["grade", str(tmp_path), "--table", str(tmp_path / "grades.csv")]) == 0
    assert "ann/lab.ipynb" in capsys.readouterr().out
    grades = pd.read_csv(tmp_path / "grades.csv").set_index("file")
    assert grades.loc["ann/lab.ipynb", ["lab", "points", "of"]].tolist() == ["lab_3_thresholds", 5, 5]
    assert grades.loc["ben/lab.ipynb", ["points", "answer_4", "answer_5"]].tolist() == [3, "wrong", "missing"]
    assert grades.loc["eve/lab_3_thresholds (1).ipynb", "points"] == 5
    assert not (tmp_path / "ran").exists()
    assert "not a readable notebook" in grades.loc["eve/lab.ipynb", "note"]
    assert "is computed; expected a literal" in grades.loc["'=f/lab.ipynb", "note"]
    assert "not one of the labs" in grades.loc["other.ipynb", "note"]


def test_grading_nothing_is_refused(tmp_path, capsys):
    with pytest.raises(DataNotFoundError, match=r"holds no \.ipynb"):
        grade_folder(tmp_path)
    with pytest.raises(ParameterError, match=r"grades\.txt is not a \.csv"):
        write_grades(pd.DataFrame(), tmp_path / "grades.txt")
    assert cli.main(["grade"]) == 2
    assert "--key LAB" in capsys.readouterr().err


def test_the_key_says_how_answers_come_about(capsys):
    assert cli.main(["grade", "--key", "labs/lab_3_thresholds", "--seed", "3"]) == 0
    assert "answer_4 = " in capsys.readouterr().out
    assert cli.main(["grade", "--key", "lab_9"]) == 2
    assert "Known:" in capsys.readouterr().err
