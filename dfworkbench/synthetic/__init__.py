"""Generated demo sets: shaded 2.5-D talking heads, forgeries of the five FaceForensics++ kinds, exact ground truth."""

from dfworkbench.synthetic.celebdf import make_demo_celebdf
from dfworkbench.synthetic.demo import make_demo
from dfworkbench.synthetic.preview import Preview, preview
from dfworkbench.synthetic.settings import CelebDemoSettings, DemoSettings

__all__ = ["CelebDemoSettings", "DemoSettings", "Preview", "make_demo", "make_demo_celebdf", "preview"]
