"""Short programs that call the public functions, with some arguments that do not fit.

A template is code with slots, as {stride}; each slot takes one of its good values or an odd one.
"""

import random

SETUP = """\
import numpy as np
import fastnn as fn
fn.manual_seed(0)
fn.set_num_threads(1)
fn.set_conv_algorithm("auto")
x = np.linspace(-1, 1, 96, dtype=np.float32).reshape(2, 3, 4, 4)
table, y = x.reshape(8, 12), np.arange(8) % 3
w = fn.nn.Parameter(np.linspace(-1, 1, 108, dtype=np.float32).reshape(4, 3, 3, 3))
leaked = fn.relu(x)

class Run(fn.nn.Module):
    def __init__(self, function):
        super().__init__()
        self.w, self.scale = w, fn.nn.Parameter(np.ones(1))
        self.forward = function

def run(function, *inputs):
    module = Run(function)
    output = module(*inputs)
    fn.value_and_grad(module, lambda output, y: fn.mean(output * module.scale))(inputs[0], y)
    return output

def net():
    return fn.nn.Sequential(fn.nn.Conv2d(3, 4, 3, padding=1), fn.nn.BatchNorm2d(4), fn.nn.ReLU(),
                            fn.nn.Flatten(), fn.nn.Linear(64, 3))

def train(model=None, loss=None, optimizer=None, x=x, y=y[:2], **options):
    model = model or net()
    optimizer = optimizer or fn.optim.SGD(model.parameters(), lr=0.1)
    step = fn.TrainStep(model, loss or fn.nn.CrossEntropyLoss(), optimizer, **options)
    return [step(x, y) for _ in range(2)]

def fit(data=(x, y[:2]), validation=None, model=None, schedule=None, optimizer=None, loss=None,
        callbacks=(), memory_budget=None, accumulate=1, **options):
    model = model or net()
    optimizer = optimizer or fn.optim.SGD(model.parameters(), lr=0.1)
    trainer = fn.Trainer(model, loss or fn.nn.CrossEntropyLoss(), optimizer,
                         None if schedule is None else schedule(optimizer), memory_budget,
                         callbacks, accumulate)
    trainer.fit(data, validation, **{"epochs": 2, "batch_size": 2, **options})
    return trainer.evaluate(data)
"""

SLOTS: dict[str, tuple[str, ...]] = {
    "x": ("x", "x", "np.ones((1, 3, 5, 7), np.float32)"),
    "table": ("table", "table[:3]", "np.arange(24).reshape(2, 12)"),
    "y": ("y", "list(y)", "y.astype(np.int32)"), "y2": ("y[:2]", "[0, 2]"),
    "t": ("t", "w", "t * 2", "1.5", "leaked", "np.ones(4, np.float32)"),
    "w": ("w", "np.ones((4, 3, 3, 3), np.float32)"), "b": ("None", "np.ones(4, np.float32)"),
    "four": ("np.ones(4)", "fn.nn.Parameter(np.ones(4))", "fn.nn.Buffer(np.ones(4))"),
    "number": ("0.5", "1", "2", "0.0"), "size": ("1", "2", "3", "(2, 1)", "(1, 3)"),
    "pad": ("0", "1", "(1, 0)"), "stride": ("None", "1", "2"), "count": ("1", "2", "3"),
    "channels": ("3", "4"), "flag": ("True", "False"), "share": ("0.5", "0.0", "0.9"),
    "dim": ("0", "1", "-1", "None"), "dims": ("0", "(0, 1)", "[1, -1]", "None"),
    "axis": ("0", "1", "-1"), "shape": ("(2, 48)", "(-1, 3)", "-1", "(8, 12)", "2, 48"),
    "order": ("(0, 2, 3, 1)", "(3, 2, 1, 0)"), "index": ("0", "1:", "..., 0", "None", ":, 1:3",
    "-1"),
    "reduction": ("'mean'", "'sum'", "'none'"), "rate": ("0.1", "1e-3", "0.0"),
    "betas": ("(0.9, 0.999)", "(0.0, 0.5)"), "text": ("'auto'", "'im2col'", "'NCHW'"),
    "layout": ("'NCHW'", "'NHWC'"), "budget": ("None", "'1GiB'", "2**30", "'auto'"),
    "model": ("net()", "fn.nn.Sequential(fn.nn.Flatten(), fn.nn.Linear(48, 3))"),
    "loss": ("fn.nn.CrossEntropyLoss()", "lambda o, y: fn.mean(o * o)"),
    "seed": ("0", "7", "2**40"), "name": ("'vgg11'", "'cnn'", "'lenet'", "'mlp'"),
    "params": ("m.parameters()", "[{'params': list(m.parameters()), 'lr': 0.2}]"),
    "init": ("kaiming_normal_", "kaiming_uniform_", "normal_", "ones_", "uniform_",
             "xavier_normal_", "xavier_uniform_", "zeros_", "constant_"),
    "layer": ("fn.nn.ReLU()", "fn.nn.Conv2d(3, 4, 3)", "fn.nn.Flatten()", "fn.nn.Dropout()"),
    "schedule": ("None", "lambda o: fn.optim.StepLR(o, 1)"), "epochs": ("1", "2"),
    "data": ("(x, y[:2])", "[(x, y[:2])] * 3", "fn.data.Batches(x, y[:2], 1)"),
    "value": ("1", "2.5", "x"), "accumulate": ("1", "2", "'auto'"),
    "callback": ("fn.training.EarlyStopping('loss', 1)", "fn.training.Callback()"),
    "indices": ("None", "np.array([0, 2])", "[1]"), "callable": ("lambda e: 0.5 ** e",),
    "milestones": ("[1]", "[1, 2]"), "state": ("fn.get_rng_state()", "net().state_dict()"),
    "path": ("'w.safetensors'", "'data.npz'"), "out": ("table", "np.eye(8, 12)"),
    "transform": ("None", "fn.data.RandomShift(1)",
    "fn.data.Compose(fn.data.RandomHorizontalFlip())"),
    "unary": ("relu", "elu", "silu", "gelu", "gelu_tanh", "sigmoid", "tanh", "exp", "square", "abs",
              "softplus", "erf", "leaky_relu", "reciprocal", "detach", "logical_not"),
    "binary": ("add", "sub", "mul", "div", "maximum", "minimum", "pow", "eq", "ge", "gt", "lt",
               "le", "ne", "matmul", "mse_loss", "logical_and", "logical_or"),
    "operator": ("+", "-", "*", "/", "**", "@", "==", ">", "<=", "!="),
    "method": ("sum", "mean", "flatten", "reshape", "transpose", "permute", "expand", "view",
    "size",
               "float", "abs", "clone", "numel", "contiguous"),
    "pool": ("max_pool2d", "avg_pool2d"), "Pool": ("MaxPool2d", "AvgPool2d"),
    "preprocessor": ("Standardize()", "MeanImage()", "ChannelMean()", "Whiten()"),
    "Optimizer": ("SGD", "Adam", "AdamW"), "function": ("lambda x: x * 2", "np.sin"),
}

FIXED = ("unary", "binary", "operator", "method", "pool", "Pool", "Optimizer", "init",
"preprocessor")  # no values

TEMPLATES = (
    "run(lambda t: fn.{unary}({t}), {x})", "run(lambda t: fn.{binary}({t}, {t}), {x})",
    "run(lambda t: {t} {operator} {t}, {x})", "run(lambda t: t.{method}({dims}), {x})",
    "run(lambda t: t.{method}({axis}, {axis}), {x})", "fn.{unary}({value})",
    "fn.{binary}({value}, {value})", "run(lambda t: t[{index}], {x})",
    "run(lambda t: t[{index}, {index}], {x})", "run(lambda t: t[{axis}:{count}:{count}], {x})",
    "run(lambda t: fn.affine(t, {number}, {number}), {x})",
    "run(lambda t: fn.leaky_relu(t, {number}), {x})", "run(lambda t: fn.power(t, {number}), {x})",
    "run(lambda t: fn.reshape(t, {shape}), {x})", "run(lambda t: fn.permute(t, {order}), {x})",
    "run(lambda t: fn.transpose(t, {axis}, {axis}), {x})",
    "run(lambda t: fn.expand(t, {shape}), {x})",
    "run(lambda t: fn.flatten(t, {axis}, {axis}), {x})",
    "run(lambda t: fn.sum(t, {dims}, {flag}), {x})",
    "run(lambda t: fn.mean(t, {dims}, {flag}), {x})", "run(lambda t: fn.softmax(t, {dim}), {x})",
    "run(lambda t: fn.log_softmax(t, {dim}), {x})",
    "run(lambda t: fn.cat([{t}, {t}], {dim}), {x})", "run(lambda t: fn.cat({t}, {dim}), {x})",
    "run(lambda t: fn.conv2d(t, {w}, {b}, {size}, {pad}, {count}, {count}), {x})",
    "run(lambda t: fn.conv_transpose2d(t, {w}, {b}, {size}, {pad}, {pad}, {count}), {x})",
    "run(lambda t: fn.{pool}(t, {size}, {stride}, {pad}), {x})",
    "run(lambda t: fn.adaptive_avg_pool2d(t, {size}), {x})",
    "run(lambda t: fn.batch_norm(t, {b}, {b}, {b}, {b}, {flag}, {share}, {number}), {x})",
    "run(lambda t: fn.batch_norm(t[:, [0]], {four}, {four}, training={flag}), {x})",
    "run(lambda t: fn.linear(t, {w}, {b}), {table})",
    "run(lambda t: fn.dropout(t, {share}, {flag}), {x})",
    "run(lambda t: fn.cross_entropy(t, {y}, {b}, {count}, {reduction}, {share}), {table})",
    "run(lambda t: fn.mse_loss(t, {out}, reduction={reduction}), {table})",
    ("layer = fn.nn.Conv2d({channels}, {channels}, {size}, {size}, {pad}, {count}, {count}, "
     "{flag})\n"
     "layer({x})"),
    ("layer = fn.nn.ConvTranspose2d({channels}, {channels}, {size}, {size}, {pad}, {pad})\n"
     "layer({x})"),
    "fn.nn.Linear({count}, {count}, {flag})({table})", "fn.nn.Linear(12, {count})({table})",
    "fn.nn.{Pool}({size}, {stride}, {pad})({x})", "fn.nn.AdaptiveAvgPool2d({size})({x})",
    ("layer = fn.nn.BatchNorm2d({channels}, {number}, {share}, {flag}, {flag})\n"
     "layer({x})\n"
     "layer.eval()({x})"),
    "fn.nn.BatchNorm1d({count})({table})", "fn.nn.Dropout({share})({x})",
    "fn.nn.ELU({number})({x})", "fn.nn.LeakyReLU({number})({x})", "fn.nn.GELU({text})({x})",
    "fn.nn.Flatten({axis}, {axis})({x})", "fn.nn.DropConnect({layer}, {share})({x})",
    "fn.nn.Sequential({layer}, {layer})({x})", "fn.nn.Sequential({layer})[{index}]",
    "fn.nn.ModuleList([{layer}, {layer}])[{index}]", "fn.nn.ModuleList({layer})",
    "fn.nn.Parameter({value}, {flag}).data = {value}", "fn.nn.Buffer({value})",
    "fn.nn.init.{init}({w})", "fn.nn.init.{init}(fn.nn.Parameter(x), {number})",
    "train(loss=fn.nn.CrossEntropyLoss({b}, {count}, {reduction}, {share}))",
    "train(loss=fn.nn.MSELoss(reduction={reduction}), y=np.ones((2, 3)))", "train(x={x}, y={y2})",
    "train(model={model}, loss={loss}, x={x}, y={y2})", "train(memory_budget={budget})",
    "train(layout={layout}, x={x})", "train(accumulate={accumulate}, keep_output={flag})",
    ("m = net()\n"
     "train(m, optimizer=fn.optim.{Optimizer}({params}, {rate}))"),
    ("m = net()\n"
     "train(m, optimizer=fn.optim.SGD({params}, {rate}, {share}, {share}, {rate}, {flag}))"),
    ("m = net()\n"
     "train(m, optimizer=fn.optim.AdamW({params}, {rate}, {betas}, {rate}, {rate}))"),
    ("m = net()\n"
     "o = fn.optim.SGD(m.parameters(), lr=0.1)\n"
     "o.lr = {rate}\n"
     "train(m, optimizer=o)"),
    ("m = net()\n"
     "o = fn.optim.Adam(m.parameters())\n"
     "o.param_groups[0]['lr'] = {rate}\n"
     "train(m, optimizer=o)"),
    ("m = net()\n"
     "o = fn.optim.Adam(m.parameters())\n"
     "o.load_state_dict({state})"),
    "fit(schedule=lambda o: fn.optim.StepLR(o, {count}, {share}))",
    "fit(schedule=lambda o: fn.optim.MultiStepLR(o, {milestones}, {share}))",
    ("fit(schedule=lambda o: fn.optim.OneCycleLR(o, {rate}, {count}, pct_start={share}, "
     "cycle_momentum={flag}))"),
    ("fit(schedule=lambda o: fn.optim.OneCycleLR(o, {rate}, epochs={epochs}, "
     "steps_per_epoch={count}, cycle_momentum=False))"),
    ("fit(schedule=lambda o: fn.optim.CyclicLR(o, {rate}, {rate}, {count}, gamma={share}, "
     "cycle_momentum={flag}))"),
    "fit(schedule=lambda o: fn.optim.CosineAnnealingLR(o, {count}, {rate}))",
    "fit(schedule=lambda o: fn.optim.CosineAnnealingWarmRestarts(o, {count}, {count}, {rate}))",
    "fit(schedule=lambda o: fn.optim.ConstantLR(o, {share}, {count}))",
    "fit(schedule=lambda o: fn.optim.PolynomialLR(o, {count}, {number}))",
    "fit(schedule=lambda o: fn.optim.MultiplicativeLR(o, {callable}))",
    ("fit(schedule=lambda o: fn.optim.ReduceLROnPlateau(o, 'min', {share}, {count}, "
     "min_lr={rate}))"),
    "fit(schedule=lambda o: fn.optim.swa_utils.SWALR(o, {rate}, {count}))",
    ("fit(schedule=lambda o: fn.optim.ChainedScheduler([fn.optim.StepLR(o, {count}), "
     "fn.optim.ExponentialLR(o, {share})]))"),
    "fit(schedule=lambda o: fn.optim.ExponentialLR(o, {share}))",
    "fit(schedule=lambda o: fn.optim.LambdaLR(o, {callable}))",
    "fit(schedule=lambda o: fn.optim.LinearLR(o, {share}, {number}, {count}))",
    ("fit(schedule=lambda o: fn.optim.SequentialLR(o, [fn.optim.StepLR(o, 1), "
     "fn.optim.StepLR({count}, 1)], {milestones}))"),
    ("m = net()\n"
     "s = fn.optim.StepLR(fn.optim.SGD(m.parameters(), lr=0.1), 1)\n"
     "s.step({number})"),
    "fit({data})", "fit({data}, {data})", "fit(epochs={epochs}, batch_size={count}, seed={seed})",
    "fit(model={model}, loss={loss})", "fit(schedule={schedule})", "fit(callbacks=[{callback}])",
    "fit(callbacks={callback})", "fit(memory_budget={budget})", "fit(accumulate={accumulate})",
    ("fn.Trainer({model}, {loss}, fn.optim.SGD(net().parameters(), lr=0.1)).fit((x, y[:2]), "
     "epochs=1)"),
    "fn.Trainer(net(), {loss}, {rate})", "fn.TrainStep({model}, {loss}, {rate})",
    ("fn.Trainer(net(), {loss}, fn.optim.SGD(net().parameters(), lr=0.1)).evaluate({data}, "
     "{count})"),
    ("fn.Trainer(net(), fn.nn.MSELoss(), fn.optim.SGD(net().parameters(), "
     "lr=0.1)).save({path})"),
    ("fn.Trainer(net(), fn.nn.MSELoss(), fn.optim.SGD(net().parameters(), "
     "lr=0.1)).resume({path})"),
    "fn.value_and_grad({model}, {loss})({x}, {y2})",
    "fn.value_and_grad(net(), {loss}, {layout})(x, {y2})",
    ("m = net()\n"
     "fn.memory_frontier(m, {loss}, fn.optim.SGD(m.parameters(), lr=0.1), {shape}, {y2})"),
    ("m = net()\n"
     "fn.TrainStep(m, {loss}, fn.optim.SGD(m.parameters(), lr=0.1)).plan({shape})"),
    "fn.save({path}, {model})", "fn.load({path}, {model}, {flag})",
    "fn.checkpoint({layer}, {flag})({x})",
    ("fn.manual_seed({seed})\n"
     "fn.nn.Linear(2, 2)"),
    ("fn.set_rng_state({state})\n"
     "fn.nn.Linear(2, 2)"),
    ("fn.set_conv_algorithm({text})\n"
     "net()(x)"),
    ("fn.set_num_threads({count})\n"
     "net()(x)"),
    "net()({x})", "net()({x}, {x})", "net().load_state_dict({state}, {flag})",
    "net().get_submodule({text})", "net().train({flag})({x})", "net().requires_grad_({flag})",
    "net().apply({callable})", "net().register_parameter({text}, {w})",
    "net().register_buffer({text}, {value})", "net().add_module({text}, {layer})",
    ("m = net()\n"
     "m.extra = {value}\n"
     "m(x)"),
    ("class F(fn.Function):\n"
     "    def forward(self, t):\n"
     "        return {value}\n"
     "    def backward(self, g):\n"
     "        return {value}\n"
     "run(lambda t: F()(t), x)"),
    ("v = fn.Variable({number})\n"
     "run(lambda t: t * v, x)\n"
     "v.value = {number}\n"
     "run(lambda t: t * v, x)"),
    ("list(fn.data.Batches({x}, {y2}, {count}, {flag}, {seed}, {flag}, {transform}, None, "
     "{indices}).epoch({count}))"),
    "fn.data.Batches(x, y[:2], 1).epoch({axis}, {count})",
    "fn.data.RandomShift({count})(x, np.random.default_rng(0))",
    "fn.data.RandomHorizontalFlip({share})({x}, np.random.default_rng(0))",
    "fn.data.Compose({transform})",
    ("p = fn.data.{preprocessor}.fit({x})\n"
     "p.transform({x})"),
    "fn.data.Whiten({text}, {rate}).fit({table})", "fn.data.check_arrays({x}, {y2}, {count})",
    "fn.data.load({path})", "fn.data.load_npz({path}, {layout})", "fn.data.load_npy({path})",
    "fn.data.load_idx({path})", "fn.data.read_idx({path})",
    "fn.data.load_image_folder({path}, {size}, {text}, {share}, {seed})",
    "fn.models.create({name}, {count}, {channels}, {count})",
    "fn.models.lenet({count}, {channels}, {count})",
    "fn.models.mlp({count}, {channels}, {count}, {size})({x})",
    "fn.models.cnn({count}, {channels}, {count}, {share})({x})",
    "fn.models.resnet20({count}, {channels})", "fn.models.CifarResNet({count})",
    "fn.training.accuracy({table}, {y})", "fn.training.EarlyStopping({text}, {count})",
    "fn.training.CheckpointCallback({path}, {number}, {count})",
)

ODD = (
    "0", "-1", "7", "-2.5", "1e30", "1e-40", "2**31", "2**63", "-2**63", "10**30", "float('nan')",
    "float('inf')", "True", "None", "''", "'no'", "b'x'", "[]", "()", "{}", "[1, 'a']",
    "[[1], [2, 3]]", "(1, 2, 3)", "(0, 0)", "(-1, 2)", "(2**40, 2**40)", "[None]", "1j",
    "object()", "int", "id",  # id takes any object: errors inside a builtin have no line
    "fn.nn.ReLU", "fn.nn.ReLU()", "fn.nn.MSELoss", "fn.optim.SGD", "range(3)", "{1, 2}", "Ellipsis",
    "slice(None)", "np.float32(2)", "np.int64(1)", "np.bool_(True)", "np.array(2)", "np.nan",
    "leaked",
    "w", "iter([1])",
    "(lambda *a: None)", "NotImplemented", "Exception('x')", "fn", "np.ma.ones(3)",
)
TYPES = ("np.float32", "np.float32", "np.float64", "np.float16", "'>f4'", "np.int64", "np.int8",
         "np.uint8", "bool", "object", "np.complex64", "'<U3'", "'M8[s]'", "np.uint64",
         "[('a', 'f4')]")
CHANGES = ("", "", "", "[::2]", "[::-1]", ".T", "[..., None]", " * np.nan", " * 1e30", ".tolist()")


def array(draw: random.Random) -> str:
    """An array of any rank, type and layout."""
    shape = tuple(draw.choice((0, 1, 1, 2, 2, 3, 4, 5, 8)) for _ in range(draw.randrange(7)))
    kind = draw.choice(TYPES)
    change = draw.choice(CHANGES)
    if (kind not in ("np.float32",
    "np.float64") and "*" in change) or ("[::" in change and not shape):
        change = ""
    text = f"np.ones({shape}, {kind}){change}"
    broad = text if change else f"np.broadcast_to({text}, {(2, *shape)})"
    return draw.choice((text, text, broad))


def odd(draw: random.Random) -> str:
    """A value that seldom fits."""
    return array(draw) if draw.random() < 0.35 else draw.choice(ODD)


def program(draw: random.Random) -> str:
    """One of the templates with its slots filled: good values, and one or more odd ones."""
    parts = draw.choice(TEMPLATES).replace("{}", "{{}}").split("{")
    filled = parts[0]
    slots = [part.partition("}")[0] for part in parts[1:]]
    chosen = [i for i, slot in enumerate(slots) if slot not in FIXED]
    wrong = set(draw.sample(chosen, min(len(chosen), draw.choice((0, 1, 1, 1, 2, 3)))))
    for i, part in enumerate(parts[1:]):
        slot, _, rest = part.partition("}")
        filled += (odd(draw) if i in wrong else draw.choice(SLOTS[slot])) + rest
    return filled
