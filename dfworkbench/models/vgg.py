"""VGG-19 features at five depths, used by "Beyond the Spectrum" to compare pictures.

Simonyan, Zisserman: Very Deep Convolutional Networks for Large-Scale Image Recognition. ICLR 2015, arXiv:1409.1556. Cut as by
He, Yu, Keuper, Fritz: Beyond the Spectrum: Detecting Deepfakes via Re-Synthesis. IJCAI 2021, arXiv:2105.14376. Names of weights
are those of the authors' code (SSAW14/BeyondtheSpectrum, MIT); none of it is used here.

As in the released code, pictures are RGB in 0..1, not normalised with ImageNet's mean and std. Differences from it: nothing after
the last requested stage is computed; no particular device is assumed.
"""

from itertools import pairwise

from torch import Tensor, nn

from dfworkbench.core.errors import ParameterError

#: Channels of each stage.
CHANNELS = (64, 128, 256, 512, 512)
#: Convolutions before each pooling, and their channels.
_BLOCKS = ((2, 64), (2, 128), (4, 256), (4, 512), (1, 512))
#: First layer of each stage, and the end of the last one, in torchvision's numbering: after the first ReLU of each block.
_CUTS = (0, 2, 7, 12, 21, 30)


class VggTaps(nn.Module):
    """Feature maps of VGG-19 after the first ReLU of each of its five blocks; always frozen. 12,944,960 parameters.

    Args:
        weights: "" for random weights and zero biases, "imagenet" for the published ones, or the path of torchvision's weight file.
        stages: Number of stages to build, 1 to 5.
    """

    def __init__(self, weights: str = "", stages: int = 5) -> None:
        super().__init__()
        self.stages = stages
        layers = _layers()
        for stage, (start, stop) in enumerate(list(pairwise(_CUTS))[:stages], start=1):
            named = nn.Sequential()
            for number in range(start, stop):
                named.add_module(str(number), layers[number])
            self.add_module(f"slice{stage}", named)
        if weights:
            from dfworkbench.models.pretrained import load_imagenet

            names = {f"features.{name.partition('.')[2]}": name for name in self.state_dict()}
            load_imagenet(self, "vgg19", weights, names)
        self.requires_grad_(False).eval()

    def forward(self, images: Tensor, last: int = 5) -> list[Tensor]:
        """Features of the stages 1 to `last`: `(B, 64, H, W)`, `(B, 128, H/2, W/2)`, … `(B, 512, H/16, W/16)`, all >= 0.

        Args:
            images: `(B, 3, H, W)`, RGB in 0..1, at least `2 ** (last - 1)` px.
            last: The last stage to compute.

        Raises:
            ParameterError: There is no such stage.
        """
        if last not in range(1, self.stages + 1):
            raise ParameterError(f"features of VGG-19: last = {last}, but stages 1 to {self.stages} were built.")
        found = [images]
        for stage in range(1, last + 1):
            found.append(self.get_submodule(f"slice{stage}")(found[-1]))
        return found[1:]

    def train(self, mode: bool = True) -> "VggTaps":
        """Stay in eval mode, even inside a network in training mode."""
        return super().train(False)


def _layers() -> list[nn.Module]:
    """Layers up to the last stage, with torchvision's random initialisation."""
    layers: list[nn.Module] = []
    before = 3
    for number, (count, channels) in enumerate(_BLOCKS):
        if number:
            layers.append(nn.MaxPool2d(2))
        for _ in range(count):
            conv = nn.Conv2d(before, channels, 3, padding=1)
            nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
            nn.init.zeros_(conv.bias)  # pyright: ignore[reportArgumentType]
            layers += [conv, nn.ReLU(inplace=True)]
            before = channels
    return layers
