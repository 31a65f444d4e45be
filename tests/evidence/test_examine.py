"""Whole examinations on noisy clips: both outcomes, refusals, repeatability, what is stored, bad input, the command."""

import json
import os
import shutil
from pathlib import Path

import pytest
from evidence_workspace import RUN, SET, make_reference, make_run, write_evidence

from dfworkbench.__main__ import main
from dfworkbench.core.errors import DataNotFoundError, InputError, ParameterError
from dfworkbench.core.hash_chain import check_chain
from dfworkbench.core.workspace import HOME_VARIABLE, Workspace
from dfworkbench.evidence.case import CaseFile, Person
from dfworkbench.evidence.examine import case_file
from dfworkbench.evidence.intake import needs
from dfworkbench.evidence.record.verify import verify_case
from dfworkbench.evidence.settings import EvidenceSettings


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    from demo_set import extract_here

    root = tmp_path_factory.mktemp("evidence_source")
    with pytest.MonkeyPatch.context() as patch:
        extract_here(patch)
        make_reference(Workspace(root))
    make_run(Workspace(root))
    write_evidence(Workspace(root))
    return root


@pytest.fixture
def space(source, tmp_path, monkeypatch) -> Workspace:
    """A workspace whose reference scores, once made, are shared by the tests of this file."""
    root = tmp_path / "space"
    shutil.copytree(source / "labels", root / "labels")
    for name in ("data", "extracted", "checkpoints"):
        (root / name).symlink_to(source / name)
    shutil.copytree(source / "incoming", root / "incoming")
    monkeypatch.setenv(HOME_VARIABLE, str(root))
    return Workspace(root)


@pytest.fixture
def quick(monkeypatch) -> None:
    """Leave the figures out of the page, which take seconds: what is said is tested here, how it looks elsewhere."""
    for name in ("findings_per_person", "reference_data", "validation"):
        monkeypatch.setattr(f"dfworkbench.evidence.page.report.{name}", lambda case: "")


def _examine(space: Workspace, *names: str, **settings) -> CaseFile:
    paths = [space.root / "incoming" / name for name in names or ("clip.mp4",)]
    options = {"pdf": "no", "draws": 200, "progress": False, "workspace": space, **settings}
    return case_file(paths, options.pop("run", RUN), options.pop("reference", SET), **options)


def _folder(case: CaseFile) -> Path:
    assert case.folder is not None
    return case.folder


def _llr(person: Person) -> float:
    assert person.lr is not None
    return person.lr.llr


def _codes(case: CaseFile) -> list[str]:
    return [check.code for check in case.people[0].refusals]


def test_a_statement_with_its_numbers_record_and_files(space):
    case = _examine(space, case="a1", question="Was the face manipulated?", examiner="N. N.")
    (person,) = case.people
    assert case.outcome == "statement", person.sentence
    assert person.lr is not None
    assert case.validation is not None
    assert 0 < person.lr.llr <= case.validation.bounds.high
    assert person.lr.low <= person.lr.llr <= person.lr.high
    assert person.frames == 10
    assert "times more probable" in person.sentence
    assert person.halves is not None
    assert {"S1", "S5"} <= {check.code for check in person.reservations}  # 12 people, one source
    assert case.reference.people == {"genuine": 12, "manipulated": 12}
    assert case.folder == space.root / "report" / "cases" / "a1"
    there = {path.name for path in _folder(case).iterdir()}
    assert there == {
        "report.html", "case.json", "evidence_scores.csv", "reference_scores.parquet", "log.jsonl", "head.txt", "manifest.json",
    }  # fmt: skip
    stored = json.loads((_folder(case) / "case.json").read_text())
    assert stored["files"][0]["people"][0]["lr"]["llr"] == person.lr.llr
    log = check_chain((_folder(case) / "log.jsonl").read_bytes())
    assert log.holds
    events = [entry.event for entry in log.entries]
    assert [events[0], events[-1]] == ["opened", "closed"]
    assert {
        "versions",
        "input",
        "container",
        "c2pa",
        "reference",
        "fit",
        "validation",
        "check",
        "result",
        "examined",
    } <= set(events)
    assert case.examination_head in (_folder(case) / "report.html").read_text()
    assert verify_case(_folder(case), [space.root / "incoming" / "clip.mp4"]).holds


def test_a_case_names_no_place_on_the_machine_and_verifies_from_anywhere(space, tmp_path, monkeypatch, quick):
    away = Path(shutil.copy(space.root / "incoming" / "clip.mp4", tmp_path / "away.mp4"))
    names = [str(space.root / "incoming" / "clip.mp4"), str(away)]
    folder = _folder(
        case_file(names, space.checkpoints / RUN, SET, workspace=space, pdf="no", draws=200, progress=False)
    )
    for path in folder.iterdir():
        if path.suffix != ".parquet":
            assert str(tmp_path) not in path.read_text(), path.name
    inputs = {
        entry.data["role"]: entry.data["path"]
        for entry in check_chain((folder / "log.jsonl").read_bytes()).entries
        if entry.event == "input"
    }
    assert inputs["weights"] == f"checkpoints/{RUN}/epoch_001.safetensors"
    assert inputs["videos.csv"] == f"labels/{SET}/videos.csv"
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(HOME_VARIABLE)
    found = {finding.name: finding.status for finding in verify_case(folder).findings}
    assert found["incoming/clip.mp4 (evidence)"] == found[f"{inputs['weights']} (weights)"] == "same"
    assert found["away.mp4 (evidence)"] == "same"  # it lies where this was started
    monkeypatch.chdir(space.root)
    assert {f.name: f.status for f in verify_case(folder).findings}["away.mp4 (evidence)"] == "not here"
    assert verify_case(folder, [away]).holds


def test_equal_runs_give_equal_results_and_bytes(space, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1790000000")
    first = _examine(space, case="b")
    kept = space.root / "kept"
    _folder(first).rename(kept)
    second = _examine(space, case="b")
    assert second.results_sha256 == first.results_sha256
    assert second.examination_head == first.examination_head
    for path in kept.iterdir():
        assert (_folder(second) / path.name).read_bytes() == path.read_bytes(), path.name


def test_every_file_is_judged_apart(space, quick):
    """One case of a dozen files: what cannot be read, or is refused, does not hinder the others."""
    incoming, inside = space.root / "incoming", space.data / SET / "genuine" / "p05.mp4"
    (incoming / "text.mp4").write_text("hello")
    (incoming / "empty.mp4").touch()
    (incoming / "cut.mp4").write_bytes((incoming / "clip.mp4").read_bytes()[:3000])
    os.mkfifo(incoming / "pipe.mp4")
    shutil.copy(inside, incoming / "copy.mp4")
    _remux(inside, incoming / "remade.mkv")
    write_evidence(space, "noisy.mp4", noise=45.0, seed=905)
    write_evidence(space, "genuine.mp4", noise=11.0, seed=907)
    write_evidence(space, "seven.mp4", frames=7)
    write_evidence(space, "eight.mp4", frames=8)
    case = case_file(
        [incoming, incoming / "pipe.mp4", inside], RUN, SET, pdf="no", draws=200, progress=False, workspace=space
    )
    files = {Path(file.name).name: file for file in case.files}
    for name in ("text.mp4", "empty.mp4", "cut.mp4", "pipe.mp4"):
        file = files[name]
        assert file.status != "ok", name
        assert file.reason, name
        assert not file.people, name
        assert file.refusals[0].code == "R1"
        assert "No statement can be made about" in file.sentence
        assert str(incoming) not in file.reason
    codes = {name: [check.code for check in file.people[0].refusals] for name, file in files.items() if file.people}
    assert codes["clip.mp4"] == codes["genuine.mp4"] == []
    assert codes["copy.mp4"] == codes["remade.mkv"] == codes["p05.mp4"] == ["R3"]
    assert codes["noisy.mp4"] == ["R7"]
    assert codes["seven.mp4"][0] == "R1"
    assert "R1" not in codes["eight.mp4"]
    said = {name: file.people[0].sentence for name, file in files.items() if file.people}
    assert "same bytes" in said["copy.mp4"]
    assert "same pixels" in said["remade.mkv"]
    assert "is in the folder" in said["p05.mp4"]
    assert _llr(files["genuine.mp4"].people[0]) < 0 < _llr(files["clip.mp4"].people[0])
    for file in case.files:
        for person in file.people:
            assert (person.lr is None) == bool(person.refusals), file.name
            assert person.lr is not None or person.halves is None, file.name
    assert case.outcome == "statement"
    assert verify_case(_folder(case)).holds


def _remux(source: Path, target: Path) -> None:
    """The same packets in another container."""
    import av

    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(old.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)


def test_refusal_of_a_case_leaves_no_likelihood_ratio_anywhere(space, quick):
    propositions = {"h1": "The face is of a doll.", "h2": "It is of a person."}
    case = _examine(space, evidence_domain="real", **propositions)
    assert case.outcome == "no statement"
    assert _codes(case)[0] == "R2"
    assert (case.h1, case.h2) == tuple(propositions.values())
    assert "This is not a finding in either direction" in case.people[0].sentence
    assert '"llr": ' not in json.dumps(json.loads((_folder(case) / "case.json").read_text())["files"])


def test_evidence_that_changes_meanwhile_is_refused(space, monkeypatch, quick):
    from dfworkbench.evidence import steps

    clip, seen = space.root / "incoming" / "clip.mp4", steps.measure_file

    def meddle(path, *rest):
        found = seen(path, *rest)
        with path.open("ab") as file:
            file.write(b"\0")
        return found

    monkeypatch.setattr(steps, "measure_file", meddle)
    case = _examine(space)
    assert _codes(case) == ["R10"]
    assert case.files[0].sha256_before != case.files[0].sha256_after
    assert not verify_case(_folder(case), [clip]).holds


def test_stored_reference_scores_are_used_and_made_again_only_if_asked(space, monkeypatch, quick):

    folder = space.checkpoints / RUN / "evidence"
    if not folder.is_dir():
        _examine(space)
    from dfworkbench.evidence.reference import scored

    monkeypatch.setattr(scored, "measure", lambda *_: pytest.fail("the reference was scored again"))
    assert _examine(space).outcome == "statement"
    monkeypatch.setattr("dfworkbench.__version__", "99.0.0")
    case = _examine(space, rescore=False)
    assert _codes(case) == ["R8"]
    assert "99.0.0" in case.people[0].sentence


def test_what_a_statement_needs_is_told_before_scoring(space):
    clip = str(space.root / "incoming" / "clip.mp4")
    make_run(space, verdict="red", name="red")
    make_run(space, verdict=None, name="never")
    make_run(space, trained_on=SET, name="here")
    wanted = {"checkpoint": RUN, "evidence": [clip], "reference": SET}
    expected = (
        ({}, set()),
        ({"evidence_domain": "real"}, {"R2"}),
        ({"checkpoint": "red"}, {"R6"}),
        ({"checkpoint": "never"}, {"R6"}),
    )
    for changes, holding in (*expected, ({"checkpoint": "here"}, set())):
        checks = needs(EvidenceSettings(**{**wanted, **changes}), space)
        assert {check.code for check in checks if check.holds} == holding, changes
        assert [check.code for check in checks] == ["R2", "R4", "R6"]
    splits = space.labels / SET / "splits.csv"  # one person of the test split is now trained on
    splits.write_text(splits.read_text().replace("p00.mp4,clips/p00", "p00.mp4,clips/p05"))
    assert [
        check.code for check in needs(EvidenceSettings(**{**wanted, "checkpoint": "here"}), space) if check.holds
    ] == ["R6"]


def test_wrong_input_is_refused_before_a_folder_is_made(space):
    clip = space.root / "incoming" / "clip.mp4"
    for error, path, settings in (
        (DataNotFoundError, clip.parent / "none.mp4", {}),
        (DataNotFoundError, clip, {"reference": "nowhere"}),
        (DataNotFoundError, clip, {"reference_split": "val"}),  # the set has train and test
        (ParameterError, clip, {"reference_split": "train"}),
        (ParameterError, clip, {"h1": "only one"}),
        (ParameterError, clip, {"question": "   "}),
        (ParameterError, clip, {"case": "../up"}),
        (ParameterError, clip, {"case": "x" * 65}),
    ):
        with pytest.raises(error):
            case_file(path, RUN, **{"reference": SET, "progress": False, "workspace": space, **settings})
    with pytest.raises(ParameterError, match="checkpoint"):
        case_file(clip, "", SET, progress=False, workspace=space)
    table = space.labels / SET / "videos.csv"
    table.write_text(
        "\n".join(line for line in table.read_text().splitlines() if "genuine/" not in line or "p00" in line)
    )
    with pytest.raises(InputError, match="0 genuine"):
        case_file(clip, RUN, SET, progress=False, workspace=space)
    assert not (space.root / "report").exists()


def test_interrupted_examination_leaves_a_log_that_says_so(space, monkeypatch):
    from dfworkbench.evidence import steps

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(steps, "measure_file", stop)
    with pytest.raises(KeyboardInterrupt):
        _examine(space, case="stopped")
    log = check_chain((space.root / "report" / "cases" / "stopped" / "log.jsonl").read_bytes())
    assert log.entries[-1].event == "interrupted"
    assert not log.holds


def test_command_reports_and_verifies(space, capsys, quick):
    clip = space.root / "incoming" / "clip.mp4"
    words = [
        "report",
        str(clip),
        "--checkpoint",
        RUN,
        "--reference",
        SET,
        "--case",
        "c1",
        "--pdf",
        "no",
        "--draws",
        "200",
    ]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "10/10 seal" in said
    assert "About person 1" in said
    assert "closing head: " in said
    folder = str(space.root / "report" / "cases" / "c1")
    head = said.rpartition("closing head: ")[2].strip()
    assert main(["report", "--verify", folder, "--evidence", str(clip), "--closing-head", head]) == 0
    (Path(folder) / "evidence_scores.csv").write_text("changed")
    assert main(["report", "--verify", folder]) == 1
    assert "changed" in capsys.readouterr().out
    assert main(["report", str(clip)]) == 2
    assert "checkpoint" in capsys.readouterr().err
