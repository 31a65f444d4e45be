"""FaceSettings: how faces are found, connected and cut."""

from pydantic import Field

from dfworkbench.settings import Settings


class FaceSettings(Settings):
    """Everything that decides which faces come out of a file. Extraction and scoring use the same settings."""

    frames: int = Field(default=16, ge=1, description="Frames sampled evenly from each video")
    min_face_px: int = Field(
        default=40, ge=12, description="Faces from this size on are looked for; smaller ones may show up"
    )
    min_probability: float = Field(default=0.9, ge=0.7, le=1.0, description="Least probability of the face detector")
    detect_long_side_px: int = Field(
        default=1280,
        ge=64,
        description="Detail of the search: faces under 20 px at this width or height are not looked for",
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

    def crops_hash(self) -> str:
        """Hash of the settings that can change a file's crops.

        It is the hash of all settings but `whole` and an `exact` that is off, which were added later and must not make anyone
        extract faces again; that of whole pictures knows the settings that decide them, and nothing of faces.
        """
        if self.whole:
            unused = set(type(self).model_fields) - {"frames", "context_max_px", "whole"}
        else:
            unused = {"whole"} if self.exact else {"whole", "exact"}
        return self.content_hash(without=tuple(unused))

    def smallest_face_px(self, width_px: int, height_px: int) -> float:
        """The smallest face that is looked for in a picture of this size."""
        return max(self.min_face_px, 20 * max(width_px, height_px) / self.detect_long_side_px)
