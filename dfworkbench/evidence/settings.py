"""EvidenceSettings: evidence, run, reference set and question of a case."""

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from dfworkbench.core.safe_paths import require_folder_name
from dfworkbench.core.settings import Settings

MOST_CASE_NAME = 64
Split = Literal["val", "test"]


class EvidenceSettings(Settings):
    """Settings of a case. Frame sampling and face detection are not set here but taken from the reference set."""

    evidence: list[str] = Field(default=[], description="Pictures, videos or folders to examine")
    checkpoint: str = Field(default="", description="A run in checkpoints/, or a weight file")
    reference: str = Field(default="demo", min_length=1, description="Extracted, labelled data set to compare with")
    reference_split: str = Field(
        default="test",
        description="Its split: test, or val with the risk that the epoch was chosen on it; train is refused",
    )
    case: str = Field(default="", description="Name of the case and its folder (empty: date and evidence)")
    question: str = Field(default="", description="The question as it was put to the examiner")
    h1: str = Field(
        default="", description="First proposition, that the face was manipulated (empty: standard wording)"
    )
    h2: str = Field(default="", description="Second proposition, that it was not; set both or neither")
    examiner: str = Field(default="", description="Name of the examiner")
    evidence_domain: Literal["auto", "real", "generated"] = Field(
        default="auto", description="What the evidence shows; auto: generated below a marked folder, else real"
    )
    draws: int = Field(
        default=2000, ge=100, le=100_000, description="Bootstrap draws of reference people for LR intervals"
    )
    seed: int = Field(default=0, ge=0, le=2**32 - 1, description="Random seed of the draws")
    pdf: Literal["auto", "yes", "no"] = Field(
        default="auto", description="Also write a PDF of the page; auto: if possible"
    )
    private_metadata: bool = Field(
        default=False, description="Print places and serial numbers in the evidence's metadata"
    )
    reference_faces: bool = Field(default=False, description="Print faces of real people of the reference set")
    rescore: bool = Field(
        default=True, description="Score the reference set again if stored scores were made differently"
    )

    @field_validator("reference_split")
    @classmethod
    def _not_trained_on(cls, split: str) -> str:
        if split not in ("val", "test"):
            why = "its people were trained on" if split == "train" else "there is no such split"
            raise ValueError(f"{why}. Expected val or test. Take test")
        return split

    @field_validator("question", "h1", "h2")
    @classmethod
    def _not_of_blanks(cls, text: str) -> str:
        if text and not text.strip():
            raise ValueError("it is blank. Expected a sentence, or nothing. Write one or leave it out")
        return text.strip()

    @field_validator("case")
    @classmethod
    def _names_a_folder(cls, name: str) -> str:
        if not name:
            return name
        if len(name) > MOST_CASE_NAME:
            raise ValueError(f"it has {len(name)} characters. Expected at most {MOST_CASE_NAME}. Choose a shorter name")
        return require_folder_name("naming a case", name)

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if bool(self.h1) != bool(self.h2):
            raise ValueError(
                f"only {'h1' if self.h1 else 'h2'} is given. Expected both propositions, or none for the usual words; they must "
                "speak of the same face. Give the other one too"
            )
        return self
