"""ONNX Runtime as a peer of the benchmark: calls of PyTorch's nets as ONNX; see torch_peer.py."""

import os
import subprocess
import sys
import tempfile

EXPORT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "torch_export.py")
NEEDS = "torch.onnx writes the nets: pip install torch onnxscript"


class Peer:
    """ONNX Runtime as it comes, on the processor."""

    def __init__(self, threads):
        import onnxruntime

        self.options = onnxruntime.SessionOptions()
        self.options.intra_op_num_threads, self.options.inter_op_num_threads = threads, 1
        self.version = f"onnxruntime {onnxruntime.__version__}"

    def inference(self, name, x):
        from onnxruntime import InferenceSession

        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, "net.onnx")
            count = exported(name, x.shape, file)
            session = InferenceSession(file, self.options, providers=["CPUExecutionProvider"])
        inputs = {session.get_inputs()[0].name: x}
        return {"inference": lambda: session.run(None, inputs)}, count


def exported(name, shape, file):
    """Write the net in a process of its own, so that this one holds nothing of PyTorch.

    Returns the number of parameters.
    """
    child = subprocess.run([sys.executable, EXPORT, name, file, *map(str, shape)],
                           capture_output=True, text=True)
    if child.returncode:
        lines = child.stderr.strip().splitlines() or [f"it ended with {child.returncode}"]
        raise RuntimeError(f"no ONNX file of {name}: {lines[-1]} ({NEEDS})")
    return int(child.stdout.splitlines()[-1])
