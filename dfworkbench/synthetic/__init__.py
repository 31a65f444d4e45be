"""Generated demo sets with exact ground truth.

Shaded 2.5-D talking heads and their forgeries of the five FaceForensics++ kinds; and still pictures of such heads, as recorded by a
camera and as drawn by up-sampling generators.
"""

from dfworkbench.synthetic.celebdf import make_demo_celebdf
from dfworkbench.synthetic.demo import make_demo
from dfworkbench.synthetic.pictures import make_demo_pictures, preview_pictures
from dfworkbench.synthetic.preview import Preview, preview
from dfworkbench.synthetic.settings import CelebDemoSettings, DemoSettings, PictureDemoSettings

__all__ = [
    "CelebDemoSettings", "DemoSettings", "PictureDemoSettings", "Preview", "make_demo", "make_demo_celebdf",
    "make_demo_pictures", "preview", "preview_pictures",
]  # fmt: skip
