"""Re-synthesiser of "Beyond the Spectrum", trained on real pictures before the detector.

He, Yu, Keuper, Fritz: Beyond the Spectrum: Detecting Deepfakes via Re-Synthesis. IJCAI 2021, arXiv:2105.14376. The network is
`rdn`; differences from the released code are named there.
"""

from torch import Tensor, nn

from dfworkbench.methods.resynthesis.network import resynthesis_input
from dfworkbench.methods.resynthesis.rdn import Rdn, Scale, box_down
from dfworkbench.models.options import Positive, SizePx


class Resynthesiser(nn.Module):
    """Downscales by averaging and upscales by `Rdn`; trained and saved like a detector, but does not score.

    Args:
        size_px: Height and width of the training windows; a multiple of `scale`. The `rdn` itself takes pictures of any size.
        features: Channels between the blocks.
        blocks: Residual dense blocks.
        layers: Dense layers of each block.
        scale: Down- and up-scaling factor; detectors need 4.
    """

    trained_by = "super_resolution"
    scores_fakes = False

    def __init__(
        self,
        size_px: SizePx = 96,
        features: Positive = 64,
        blocks: Positive = 16,
        layers: Positive = 8,
        scale: Scale = 4,
    ) -> None:
        super().__init__()
        self.rdn = Rdn(scale, features, blocks, layers)
        self.input_spec = resynthesis_input(size_px, "whole", scale=scale)

    def forward(self, images: Tensor) -> Tensor:
        """The re-synthesis of prepared images `(B, 3, S, S)`: the same shape, not clamped."""
        self.input_spec.check(images.shape, "rdn")
        return self.rdn(box_down(images, self.rdn.scale))
