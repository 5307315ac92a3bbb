"""Write a net of `torch_nets` in eval mode as an ONNX file; prints its number of parameters.

    python torch_export.py NET FILE BATCH SIZE...

`onnxruntime_peer.py` starts it.
"""

import sys

import torch
from torch_nets import TWINS

if __name__ == "__main__":
    name, file, *shape = sys.argv[1:]
    torch.manual_seed(0)
    model = TWINS[name]().eval()
    torch.onnx.export(model, (torch.zeros(*map(int, shape)),), file, verbose=False)
    print(sum(p.numel() for p in model.parameters()))
