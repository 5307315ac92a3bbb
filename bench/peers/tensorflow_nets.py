"""The nets of the benchmark in Keras, channels-last, which is what TensorFlow runs on CPUs."""

from keras import Model, Sequential, layers, ops


def conv(x, outputs, kernel, stride=1, padding=0, bias=True):
    if padding:
        x = layers.ZeroPadding2D(padding)(x) if stride > 1 else x
    same = "same" if padding and stride == 1 else "valid"
    return layers.Conv2D(outputs, kernel, stride, same, use_bias=bias)(x)


def norm(x):
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(x)


def lenet(inputs):
    x = layers.MaxPooling2D()(layers.ReLU()(conv(inputs, 6, 5, padding=2)))
    x = layers.MaxPooling2D()(layers.ReLU()(conv(x, 16, 5)))
    x = layers.Flatten()(x)
    for width in (120, 84):
        x = layers.Dense(width, activation="relu")(x)
    return layers.Dense(10)(x)


def vgg11(x):
    for width in (64, None, 128, None, 256, 256, None, 512, 512, None, 512, 512, None):
        x = (layers.ReLU()(norm(conv(x, width, 3, padding=1))) if width
             else layers.MaxPooling2D()(x))
    return layers.Dense(10)(layers.GlobalAveragePooling2D()(x))


def block(x, width, stride, plain):
    y = layers.ReLU()(norm(conv(x, width, 3, stride, 1, bias=False)))
    y = norm(conv(y, width, 3, 1, 1, bias=False))
    extra = width - x.shape[-1]
    if extra and plain:
        x = ops.pad(x[:, ::stride, ::stride], ((0, 0), (0, 0), (0, 0), (0, extra)))
    elif extra:
        x = norm(conv(x, width, 1, stride, bias=False))
    return layers.ReLU()(layers.Add()([x, y]))


def resnet(widths, count, plain):
    def outputs(x):
        x = layers.ReLU()(norm(conv(x, widths[0], 3, 1, 1, bias=False)))
        for number, width in enumerate(widths):
            for place in range(count):
                x = block(x, width, 2 if number and not place else 1, plain)
        return layers.Dense(10)(layers.GlobalAveragePooling2D()(x))

    return outputs


def mlp(hidden):
    return Sequential([layers.Flatten(), *(layers.Dense(width, activation="relu")
                                           for width in hidden), layers.Dense(10)])


NETS = {
    "lenet": lenet,
    "mlp": mlp((512, 512)),
    "mlp-small": mlp((46,)),
    "vgg11": vgg11,
    "resnet18": resnet((64, 128, 256, 512), 2, plain=False),
    "resnet20": resnet((16, 32, 64), 3, plain=True),
}


def create(name, shape):
    """The net of that name for examples of a shape (height, width, channels) or (features,)."""
    inputs = layers.Input(shape)
    return Model(inputs, NETS[name](inputs))
