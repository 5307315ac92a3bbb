"""torchvision's nets, also where its compiled operators do not fit the PyTorch of today."""

import torch


def load():
    """The module torchvision.models.

    torchvision describes two operators of its compiled part to PyTorch when it is imported, and
    stops where that part could not be loaded. No net for classification calls them: a name is
    enough.
    """
    try:
        import torchvision
    except RuntimeError as error:
        if "torchvision::nms does not exist" not in str(error):
            raise
        library = torch.library.Library("torchvision", "FRAGMENT")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor boxes, Tensor scores, float iou_threshold) -> Tensor")
        load.library = library  # the names last as long as it does
        import torchvision
    return torchvision.models
