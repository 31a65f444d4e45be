"""Model card of a run: a README.md with data, metrics with intervals, limits, InputSpec, and Hugging Face metadata.

Every metric is computed from the score tables stored with the weights, as in notebook 04. Unknown facts are stated as unknown.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from dfworkbench.core.input_spec import InputSpec
from dfworkbench.datasets.audit.leak_note import run_note, source_of
from dfworkbench.datasets.domain import DOMAIN_KEY, FILES_KEY, GENERATED, UNKNOWN, caveat
from dfworkbench.models.registry import HELPERS
from dfworkbench.runs.checkpoints import read_record
from dfworkbench.runs.run import Run
from dfworkbench.sharing.card_metadata import card_metadata
from dfworkbench.sharing.figures import Figures, figure_rows, figures_of
from dfworkbench.sharing.manifest import Base
from dfworkbench.zoo.describe import input_text

_SETTINGS = (
    "detector", "method", "start_from", "epochs", "batch_size", "optimizer", "learning_rate", "schedule", "trainable", "seed",
)  # fmt: skip
_ADVICE = (
    "A score is the output of a network, not the probability that a file is forged: that depends also on how many of your "
    "files are.",
    "The figures hold for files like those they were measured on. Other forgeries, people, cameras and compressions can be much "
    "worse: measure it on your own files (`dfworkbench zoo check`, notebook 04) before you rely on it.",
    "No decision about a person should rest on this score alone.",
)


def model_card(run: Run, *, licence: str = "", base: Base | None = None) -> str:
    """Write the model card for the best epoch of a run.

    Args:
        run: The run.
        licence: Licence of the weights, as Hugging Face names it, such as "apache-2.0"; "" if not stated.
        base: The run whose weights are also needed, if only the tensors that differ are shared.

    Raises:
        CheckpointError: The run or its weights are damaged.
    """
    number = run.best
    figures = figures_of(run, number)
    spec = InputSpec.from_dict(read_record(run.weights(number))["input_spec"])
    return f"---\n{card_metadata(run.name, spec, figures, licence)}\n---\n{_body(run, number, figures, base)}"


def card_text(run: Run) -> str:
    """The model card of a run's best epoch without Hugging Face metadata."""
    return _body(run, run.best, figures_of(run, run.best), None)


def _body(run: Run, number: int, figures: list[Figures], base: Base | None) -> str:
    record = read_record(run.weights(number))
    spec = InputSpec.from_dict(record["input_spec"])
    parts = [
        f"# {run.name}",
        _what(run, record, number),
        *(f"> **{text}**" for text in _warnings(run, record)),
        _section("Use", _use(run, record, base)),
        _section("Training data", _data(run, record)),
        _section("Metrics", _metrics(figures, record)),
        _section("Input", _input(spec)),
        _section("Limits", "\n".join(f"- {text}" for text in _limits(run, record, figures))),
        _section("Training", _training(run, record)),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _what(run: Run, record: Mapping[str, Any], epoch: int) -> str:
    name, size = record["detector"], run.weights(epoch).stat().st_size / 1e6
    weights = f"Weights of {size:,.3g} MB" + (f", of epoch {epoch}, the best on validation." if epoch else ".")
    if name in HELPERS:
        return f"A network of [dfworkbench](#use) that detectors are made with (`{name}`). It scores nothing by itself. {weights}"
    return f"A deepfake detector (`{name}`) for dfworkbench: it gives each face or picture the log-odds of *fake*. {weights}"


def _warnings(run: Run, record: Mapping[str, Any]) -> list[str]:
    seen = {"provenance": {**_mapping(record.get("provenance")), **run.provenance}}
    return [text for text in (run_note(seen), caveat(seen)) if text]


def _use(run: Run, record: Mapping[str, Any], base: Base | None) -> str:
    lines = ["```", "dfworkbench fetch FOLDER | NAME.zip | hf:OWNER/NAME"]
    if record["detector"] not in HELPERS:
        lines.append(f"dfworkbench score clip.mp4 --checkpoint {run.name}")
    text = "\n".join([*lines, "```"])
    if base is None:
        return text
    get = f"`dfworkbench zoo get {base.card}` and `dfworkbench zoo score`" if base.card else "`dfworkbench fetch`"
    return (
        f"{text}\n\nOnly the tensors that differ from those of the run `{base.run}` are in here. Bring that run into the "
        f"workspace first (with {get}); its weights have the content hash `{base.content}`, and others are refused."
    )


def _data(run: Run, record: Mapping[str, Any]) -> str:
    known = {**_mapping(record.get("provenance")), **run.provenance}
    if source := source_of(known):
        card = _mapping(source.get("card"))
        rows = {
            "imported from": source.get("file", UNKNOWN),
            "SHA-256 of that file": source.get("sha256", UNKNOWN),
            "trained by its authors on": card.get("trained_on") or UNKNOWN,
            "licence of the weights": card.get("licence_weights") or "not stated",
        }
        return _table(("fact", "value"), rows.items())
    settings, files, tables = (_mapping(known.get(key)) for key in ("settings", FILES_KEY, "tables"))
    kind = {GENERATED: "generated faces, no real people"}.get(str(known.get(DOMAIN_KEY)), "not generated")
    rows: dict[str, Any] = {"data set": f"{settings.get('dataset') or UNKNOWN} ({kind})"}
    if files:
        kinds = f" ({', '.join(files['forgeries'])})" if files.get("forgeries") else ""
        rows["training files"] = f"{files.get('real', 0):,} genuine, {files.get('fake', 0):,} forged{kinds}"
    rows["hash of the splits"] = f"`{known.get('splits') or UNKNOWN}`"
    rows |= {f"hash of the {name} table": f"`{value}`" for name, value in sorted(tables.items())}
    audit = _mapping(known.get("audit"))
    rows["leakage audit"] = f"{audit.get('verdict', UNKNOWN)} {_found(audit)}" if audit else "not done"
    if start := _mapping(known.get("start_from")):
        rows["started from"] = f"{start.get('file', UNKNOWN)} (SHA-256 `{start.get('sha256', UNKNOWN)}`)"
    return _table(("fact", "value"), rows.items())


def _found(audit: Mapping[str, Any]) -> str:
    counts = {kind: count for kind, count in _mapping(audit.get("counts")).items() if count}
    words = ", ".join(f"{kind}: {count}" for kind, count in counts.items())
    return f"({words or 'nothing is shared between splits'})"


def _metrics(figures: list[Figures], record: Mapping[str, Any]) -> str:
    if not figures:
        scores = record["detector"] not in HELPERS
        return "No score table comes with these weights, so no figures are known." if scores else ""
    text = _table(("data", "metric", "value", "95 % interval", "files"), figure_rows(figures))
    about = "Per file: the highest mean over the frames of a person. Intervals: bootstrap over files, 1,000 draws."
    if any(found.split == "val" for found in figures):
        about += " The epoch was chosen on *val*, so its figures are too good; *test* was not looked at in training."
    return f"{text}\n\n{about}"


def _input(spec: InputSpec) -> str:
    fields = ",\n".join(f" {json.dumps(name)}: {json.dumps(value)}" for name, value in spec.to_dict().items())
    words = input_text(spec)
    return f"{words[:1].upper()}{words[1:]}.\n\n```json\n{{\n{fields}\n}}\n```"


def _limits(run: Run, record: Mapping[str, Any], figures: list[Figures]) -> Iterator[str]:
    if record["detector"] in HELPERS:
        return
    if not any(found.split == "test" for found in figures):
        yield "It was not measured on a test split."
    groups = {found.data for found in figures}
    if run.trained_on and groups <= {run.trained_on}:
        yield f"It was not measured on any data set other than {run.trained_on}."
    yield from _ADVICE


def _training(run: Run, record: Mapping[str, Any]) -> str:
    known = {**_mapping(record.get("provenance")), **run.provenance}
    rows: dict[str, Any] = {}
    if run.settings:
        settings = run.settings
        rows |= {name: settings[name] for name in _SETTINGS if settings.get(name) not in (None, "")}
        rows["epochs"] = f"{len(run.history)} of {settings.get('epochs', UNKNOWN)}"
    packages = _mapping(known.get("packages"))
    rows["dfworkbench"] = f"{known.get('dfworkbench', UNKNOWN)}, commit {known.get('git_commit') or 'of a package'}"
    rows["packages"] = (
        ", ".join(f"{name} {version}" for name, version in sorted(packages.items()) if version) or UNKNOWN
    )
    more = "\n\n`settings.json` has all settings, `history.csv` all epochs." if run.settings else ""
    return _table(("setting", "value"), rows.items()) + more


def _section(heading: str, text: str) -> str:
    return f"## {heading}\n\n{text}" if text else ""


def _table(heads: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    heads = list(heads)
    lines = [
        heads,
        ["---"] * len(heads),
        *([str(cell).replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
