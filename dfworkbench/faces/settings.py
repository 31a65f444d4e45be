"""FaceSettings: how faces are detected, tracked and cut."""

from typing import Literal, Self

from pydantic import Field, model_validator

from dfworkbench.core.settings import Settings

_USUAL_RATIO = 16 / 9


class FaceSettings(Settings):
    """All settings that decide which faces a file yields. Extraction and scoring use the same settings."""

    frames: int = Field(default=16, ge=1, description="Frames sampled evenly from each video")
    min_face_px: int = Field(
        default=40, ge=12, description="Smallest face to look for; smaller ones may still be found"
    )
    min_probability: float = Field(
        default=0.9, ge=0.7, le=1.0, description="Minimum probability from the face detector"
    )
    detect_long_side_px: int = Field(
        default=1280,
        ge=64,
        description="Detail of the search: faces under 20 px at this width or height are not looked for (in pictures longer than "
        "16:9, at the size of a 16:9 picture of the same area)",
    )
    search_every: int = Field(
        default=5,
        ge=1,
        description="Search the whole picture in every k-th sampled frame; between, near known faces (1: always)",
    )
    bridge_gaps: bool = Field(
        default=True,
        description="Look at frames between two sampled ones where faces could not be told apart otherwise",
    )
    min_track_frames: int = Field(
        default=3, ge=1, description="A track seen in fewer frames is dropped (never in short videos)"
    )
    context_scale: float = Field(
        default=2.0, ge=1.0, le=4.0, description="Side of the stored crop over the longer side of the face"
    )
    context_max_px: int = Field(
        default=512,
        ge=32,
        description="Larger crops are stored scaled down to this side; whole pictures cut down to it",
    )
    identity_weights: str = Field(
        default="auto",
        min_length=1,
        description="Face embeddings that give a person who returns the same track: auto (if their weights are in torch's "
        "cache), off, vggface2, casia-webface, or the path of a file of InceptionResnetV1",
    )

    exact: bool = Field(
        default=False,
        description="Find faces exactly as facenet-pytorch's MTCNN does, in every sampled frame, for detectors whose authors "
        "cropped with it; about eight times slower",
    )
    whole: bool = Field(
        default=False,
        description="Take pictures whole, without looking for faces; for detectors of generated pictures.",
    )
    whole_part: Literal["grid", "centre", "square", "all"] = Field(
        default="grid",
        description="What is kept of a picture taken whole: grid (a square in the middle, at multiples of 4 px, cut to "
        "context_max_px), centre (exactly the middle, cut to context_max_px), square (the square in the middle) or all; the "
        "last two are scaled down to context_max_px. Scoring a file takes what the detector needs",
    )
    crops: bool = Field(
        default=False,
        description="The pictures are face crops already: take all of each as a face, without looking for one.",
    )

    sampling: Literal["even", "both_ends"] = Field(
        default="even",
        description="Frames of a video: even (the first one of as many equal parts) or both_ends (evenly from the first to the "
        "last frame, as most authors of published detectors sample)",
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.whole and self.crops:
            raise ValueError(
                "whole and crops are both true. Take whole for pictures of anything, crops for pictures of a face each"
            )
        return self

    @property
    def finds_faces(self) -> bool:
        """Whether faces are searched for at all."""
        return not (self.whole or self.crops)

    def crops_hash(self) -> str:
        """Hash of the settings that can change a file's crops.

        It covers all settings, except `whole`, `whole_part`, `crops`, `exact` and `sampling` where these change nothing: they were
        added later and must not force a new extraction. If no face is searched for, it covers only the settings that affect the
        pictures.
        """
        ways = {"whole": self.whole, "crops": self.crops, "exact": self.exact}
        ways["whole_part"] = self.whole and self.whole_part != "grid"
        ways["sampling"] = self.sampling != "even"
        unused = {name for name, chosen in ways.items() if not chosen}
        if not self.finds_faces:
            decide = {"whole", "whole_part", "crops", "sampling"} - unused
            unused = set(type(self).model_fields) - {"frames", "context_max_px", *decide}
        return self.content_hash(without=tuple(unused))

    def smallest_face_px(self, width_px: int, height_px: int) -> float:
        """The smallest face that is searched for in a picture of this size.

        The cost of the search is proportional to the number of pixels. A long screenshot is therefore searched like a 16:9 picture
        of the same area, not as if its other side were long too.
        """
        long_side = min(max(width_px, height_px), (width_px * height_px * _USUAL_RATIO) ** 0.5)
        return max(self.min_face_px, 20 * long_side / self.detect_long_side_px)
