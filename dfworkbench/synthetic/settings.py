"""Settings of the generated demo sets."""

from pydantic import Field

from dfworkbench.core.settings import Settings
from dfworkbench.synthetic.forgeries.settings import ForgerySettings

#: Settings that do not affect the bytes of the result, and are therefore not in its hash.
SPEED_ONLY = ("workers",)


class DemoSettings(Settings):
    """The demo set in the FaceForensics++ layout."""

    seed: int = Field(default=0, ge=0, description="Seed of everything random")
    pairs: int = Field(
        default=20, ge=1, le=500, description="Pairs of identities; each gives two clips and two fakes of each kind"
    )
    val_pairs: int = Field(default=3, ge=0, description="Pairs for validation; fewer for less than 8 pairs")
    test_pairs: int = Field(default=5, ge=0, description="Pairs for testing; fewer for less than 8 pairs")
    frames: int = Field(default=32, ge=1, le=2000, description="Frames per clip")
    fps: float = Field(default=25.0, gt=0, le=120, description="Frames per second")
    size_px: int = Field(default=256, ge=64, le=1024, multiple_of=2, description="Side of the square frames")
    camera_quality: float = Field(default=1.0, ge=0.4, le=2, description="Below 1: more noise, blur and colour casts")
    raw_crf: int = Field(
        default=8, ge=0, le=20, description="Constant rate factor of the 'raw' files; 0 is lossless and large"
    )
    extras: bool = Field(default=True, description="Also a clip of two people, one without a face, a truncated file")
    forgery: ForgerySettings = Field(
        default=ForgerySettings(), description="How strong the traces of the forgeries are"
    )
    workers: int = Field(
        default=0, ge=0, le=256, description="Processes; 0 takes one per core, 1 works in this process"
    )


class CelebDemoSettings(Settings):
    """The second demo set, in the Celeb-DF-v2 layout: other people, another camera, other forgery parameters."""

    seed: int = Field(default=1, ge=0, description="Seed of everything random")
    identities: int = Field(
        default=8, ge=2, le=200, description="People of Celeb-real; each is swapped with the next one"
    )
    clips: int = Field(default=2, ge=1, le=9, description="Real clips of each of them")
    youtube: int = Field(default=4, ge=0, le=200, description="People of YouTube-real, who are never swapped")
    frames: int = Field(default=32, ge=1, le=2000, description="Frames per clip")
    fps: float = Field(default=30.0, gt=0, le=120, description="Frames per second")
    size_px: int = Field(default=320, ge=64, le=1024, multiple_of=2, description="Side of the square frames")
    camera_quality: float = Field(default=0.8, ge=0.4, le=2, description="Below 1: more noise, blur and colour casts")
    crf: int = Field(default=20, ge=0, le=51, description="Constant rate factor of all files")
    test_share: float = Field(default=0.5, gt=0, le=1, description="Share of the videos in List_of_testing_videos.txt")
    forgery: ForgerySettings = Field(
        default=ForgerySettings(deepfakes_samples=(72, 100), faceshifter_samples=(84, 112), colour_error=2.5),
        description="How strong the traces of the forgeries are",
    )
    workers: int = Field(
        default=0, ge=0, le=256, description="Processes; 0 takes one per core, 1 works in this process"
    )


class PictureDemoSettings(Settings):
    """Demo set of pictures: single frames of further people, and what four generators make of them."""

    seed: int = Field(default=2, ge=0, description="Seed of everything random")
    people: int = Field(default=70, ge=1, le=999, description="Number of people; each is in one split only")
    val_people: int = Field(default=10, ge=0, description="People for validation")
    test_people: int = Field(default=20, ge=0, description="People for testing")
    pictures: int = Field(default=6, ge=1, le=99, description="Real pictures of each, and as many of every generator")
    size_px: int = Field(default=128, ge=64, le=512, multiple_of=4, description="Side of the square pictures")
    camera_quality: float = Field(default=1.0, ge=0.4, le=2, description="Below 1: more noise, blur and colour casts")
    workers: int = Field(
        default=0, ge=0, le=256, description="Processes; 0 takes one per core, 1 works in this process"
    )
