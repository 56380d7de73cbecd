"""Published vision networks in PyTorch's own layers, modules named as in torchvision and its like (neither is needed)."""

import torch
from torch import nn


def randomised(network, seed=0):
    """Every norm with statistics and scales of its own, so that a mistaken name or epsilon shows."""
    generator = torch.Generator().manual_seed(seed)
    draw = lambda tensor, low, high: tensor.data.copy_(
        torch.rand(tensor.shape, generator=generator) * (high - low) + low
    )
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            draw(layer.weight, 0.5, 1.5), draw(layer.bias, -0.3, 0.3)
            draw(layer.running_mean, -0.2, 0.2), draw(layer.running_var, 0.5, 1.5)
            layer.num_batches_tracked.fill_(7)
        elif isinstance(layer, nn.Conv2d):
            fan = layer.weight[0].numel()
            layer.weight.data.copy_(torch.randn(layer.weight.shape, generator=generator) * (2 / fan) ** 0.5)
    return network.eval()


class BasicBlock(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride > 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        return (y + (x if self.downsample is None else self.downsample(x))).relu()


class ResNet(nn.Module):
    """classes None: the five maps of an encoder."""

    def __init__(self, blocks, classes=None):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        inputs = 64
        for stage, count in enumerate(blocks, 1):
            outputs, rows = 64 * 2 ** (stage - 1), []
            for k in range(count):
                rows.append(BasicBlock(inputs, outputs, 2 if stage > 1 and not k else 1))
                inputs = outputs
            setattr(self, f'layer{stage}', nn.Sequential(*rows))
        self.fc = nn.Linear(512, classes) if classes else None

    def forward(self, x):
        maps = [self.bn1(self.conv1(x)).relu()]
        x = nn.functional.max_pool2d(maps[0], 3, 2, 1)
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)
            maps.append(x)
        return maps if self.fc is None else self.fc(x.mean((2, 3)))


def unit(inputs, outputs, size=1, stride=1, groups=1, act=None, **norm):
    conv = nn.Conv2d(inputs, outputs, size, stride, (size - 1) // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs, **norm), *([act()] if act else []))


class V2Block(nn.Module):
    def __init__(self, inputs, outputs, stride, expansion):
        super().__init__()
        wide, parts = inputs * expansion, []
        if expansion != 1:
            parts.append(unit(inputs, wide, act=nn.ReLU6))
        parts += [unit(wide, wide, 3, stride, wide, nn.ReLU6), nn.Conv2d(wide, outputs, 1, bias=False)]
        self.conv, self.add = nn.Sequential(*parts, nn.BatchNorm2d(outputs)), stride == 1 and inputs == outputs

    def forward(self, x):
        return x + self.conv(x) if self.add else self.conv(x)


V2 = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))


class MobileNetV2(nn.Module):
    def __init__(self, classes):
        super().__init__()
        layers, inputs = [unit(3, 32, 3, 2, act=nn.ReLU6)], 32
        for expansion, outputs, count, stride in V2:
            for k in range(count):
                layers.append(V2Block(inputs, outputs, 1 if k else stride, expansion))
                inputs = outputs
        self.features = nn.Sequential(*layers, unit(320, 1280, act=nn.ReLU6))
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, classes))

    def forward(self, x):
        return self.classifier(self.features(x).mean((2, 3)))


class SameConv(nn.Conv2d):
    """TensorFlow's padding: the odd row behind."""

    def forward(self, x):
        pads = []
        for size, k, s in zip(x.shape[:1:-1], self.kernel_size, self.stride):
            lack = max((-(-size // s) - 1) * s + k - size, 0)
            pads += [lack // 2, lack - lack // 2]
        return super().forward(nn.functional.pad(x, pads))


class LiteBlock(nn.Module):
    def __init__(self, inputs, outputs, size, stride, expansion):
        super().__init__()
        wide, norm = inputs * expansion, {'eps': 1e-3, 'momentum': 0.01}
        self.expanded = expansion != 1
        if self.expanded:
            self._expand_conv, self._bn0 = SameConv(inputs, wide, 1, bias=False), nn.BatchNorm2d(wide, **norm)
        self._depthwise_conv = SameConv(wide, wide, size, stride, groups=wide, bias=False)
        self._bn1 = nn.BatchNorm2d(wide, **norm)
        self._project_conv, self._bn2 = SameConv(wide, outputs, 1, bias=False), nn.BatchNorm2d(outputs, **norm)
        self.add = stride == 1 and inputs == outputs

    def forward(self, x):
        y = nn.functional.relu6(self._bn0(self._expand_conv(x))) if self.expanded else x
        y = self._bn2(self._project_conv(nn.functional.relu6(self._bn1(self._depthwise_conv(y)))))
        return x + y if self.add else y


LITE0 = ((3, 1, 16, 1, 1), (3, 6, 24, 2, 2), (5, 6, 40, 2, 2), (3, 6, 80, 3, 2), (5, 6, 112, 3, 1), (5, 6, 192, 4, 2))


class EfficientNetLite0(nn.Module):
    def __init__(self, classes):
        super().__init__()
        norm = {'eps': 1e-3, 'momentum': 0.01}
        self._conv_stem, self._bn0 = SameConv(3, 32, 3, 2, bias=False), nn.BatchNorm2d(32, **norm)
        rows, inputs = [], 32
        for size, expansion, outputs, count, stride in (*LITE0, (3, 6, 320, 1, 1)):
            for k in range(count):
                rows.append(LiteBlock(inputs, outputs, size, 1 if k else stride, expansion))
                inputs = outputs
        self._blocks = nn.ModuleList(rows)
        self._conv_head, self._bn1 = SameConv(320, 1280, 1, bias=False), nn.BatchNorm2d(1280, **norm)
        self._fc = nn.Linear(1280, classes)

    def forward(self, x):
        x = nn.functional.relu6(self._bn0(self._conv_stem(x)))
        for block in self._blocks:
            x = block(x)
        return self._fc(nn.functional.relu6(self._bn1(self._conv_head(x))).mean((2, 3)))


class Squeeze(nn.Module):
    def __init__(self, channels, waist):
        super().__init__()
        self.fc1, self.fc2 = nn.Conv2d(channels, waist, 1), nn.Conv2d(waist, channels, 1)

    def forward(self, x):
        return x * nn.functional.hardsigmoid(self.fc2(self.fc1(x.mean((2, 3), keepdim=True)).relu()))


SSD = {'eps': 1e-3, 'momentum': 0.03}
RE, HS = nn.ReLU, nn.Hardswish
# kernel, expanded, out, stride, waist of the squeeze (0: none), activation
V3 = (
    (3, 16, 16, 1, 0, RE),
    (3, 64, 24, 2, 0, RE),
    (3, 72, 24, 1, 0, RE),
    (5, 72, 40, 2, 24, RE),
    (5, 120, 40, 1, 32, RE),
    (5, 120, 40, 1, 32, RE),
    (3, 240, 80, 2, 0, HS),
    (3, 200, 80, 1, 0, HS),
    (3, 184, 80, 1, 0, HS),
    (3, 184, 80, 1, 0, HS),
    (3, 480, 112, 1, 120, HS),
    (3, 672, 112, 1, 168, HS),
    (5, 672, 80, 2, 168, HS),
    (5, 480, 80, 1, 120, HS),
    (5, 480, 80, 1, 120, HS),
)


class V3Block(nn.Module):
    def __init__(self, inputs, row):
        super().__init__()
        size, wide, outputs, stride, waist, act = row
        parts = [unit(inputs, wide, act=act, **SSD)] if wide != inputs else []
        parts.append(unit(wide, wide, size, stride, wide, act, **SSD))
        parts += [Squeeze(wide, waist)] if waist else []
        self.block = nn.Sequential(*parts, unit(wide, outputs, **SSD))
        self.add = stride == 1 and inputs == outputs

    def forward(self, x):
        return x + self.block(x) if self.add else self.block(x)


class Features(nn.Module):
    def __init__(self):
        super().__init__()
        rows, inputs = [unit(3, 16, 3, 2, act=HS, **SSD)], 16
        for row in V3:
            rows.append(V3Block(inputs, row))
            inputs = row[2]
        rows.append(unit(inputs, 480, act=HS, **SSD))
        self.features = nn.Sequential(
            nn.Sequential(*rows[:13], rows[13].block[0]), nn.Sequential(rows[13].block[1:], *rows[14:])
        )
        extra, inputs = [], 480
        for outputs in (512, 256, 256, 128):
            half = outputs // 2
            extra.append(
                nn.Sequential(
                    unit(inputs, half, act=nn.ReLU6, **SSD),
                    unit(half, half, 3, 2, half, nn.ReLU6, **SSD),
                    unit(half, outputs, act=nn.ReLU6, **SSD),
                )
            )
            inputs = outputs
        self.extra = nn.ModuleList(extra)

    def forward(self, x):
        maps = []
        for part in (*self.features, *self.extra):
            x = part(x)
            maps.append(x)
        return maps


class Head(nn.Module):
    def __init__(self, values):
        super().__init__()
        self.values = values
        blocks = [
            nn.Sequential(unit(c, c, 3, 1, c, nn.ReLU6, **SSD), nn.Conv2d(c, 6 * values, 1))
            for c in (672, 480, 512, 256, 256, 128)
        ]
        self.module_list = nn.ModuleList(blocks)

    def forward(self, maps):
        found = []
        for x, block in zip(maps, self.module_list):
            y = block(x)
            n, _, h, w = y.shape
            found.append(y.view(n, 6, self.values, h, w).permute(0, 3, 4, 1, 2).reshape(n, -1, self.values))
        return torch.cat(found, 1)


class SSDLite(nn.Module):
    """classes: with the background."""

    def __init__(self, classes):
        super().__init__()
        self.backbone = Features()
        self.head = nn.ModuleDict({'classification_head': Head(classes), 'regression_head': Head(4)})

    def forward(self, x):
        maps = self.backbone(x)
        return self.head['classification_head'](maps), self.head['regression_head'](maps)


class VGG(nn.Module):
    def __init__(self, counts, classes, hidden):
        super().__init__()
        layers, inputs = [], 3
        for width, count in zip((64, 128, 256, 512, 512), counts):
            for _ in range(count):
                layers += [nn.Conv2d(inputs, width, 3, padding=1), nn.ReLU()]
                inputs = width
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        head = [
            nn.Linear(512 * 49, hidden),
            nn.ReLU(),
            nn.Dropout(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Dropout(),
        ]
        self.classifier = nn.Sequential(*head, nn.Linear(hidden, classes))

    def forward(self, x):
        return self.classifier(nn.functional.adaptive_avg_pool2d(self.features(x), 7).flatten(1))


class UpBlock(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        part = lambda a: nn.Sequential(
            nn.Conv2d(a, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
        )
        self.conv1, self.conv2 = part(inputs), part(outputs)

    def forward(self, x, skip):
        x = nn.functional.interpolate(x, scale_factor=2, mode='nearest')
        return self.conv2(self.conv1(x if skip is None else torch.cat([x, skip], 1)))


class UNet(nn.Module):
    def __init__(self, outputs):
        super().__init__()
        self.encoder = ResNet((3, 4, 6, 3))
        sizes = ((512 + 256, 256), (256 + 128, 128), (128 + 64, 64), (64 + 64, 32), (32, 16))
        self.decoder = nn.Module()
        self.decoder.blocks = nn.ModuleList([UpBlock(*pair) for pair in sizes])
        self.segmentation_head = nn.Sequential(nn.Conv2d(16, outputs, 3, padding=1))

    def forward(self, x):
        *skips, x = self.encoder(x)
        for block in self.decoder.blocks:
            x = block(x, skips.pop() if skips else None)
        return self.segmentation_head(x)


class OriginalUNet(nn.Module):
    """Modules in the order of the forward pass; unpadded, skips cut."""

    def __init__(self, channels, outputs, width):
        super().__init__()
        widths = [width * 2**k for k in range(5)]
        pair = lambda a, b: nn.ModuleList([nn.Conv2d(a, b, 3), nn.Conv2d(b, b, 3)])
        self.down = nn.ModuleList([pair(a, b) for a, b in zip([channels, *widths], widths)])
        self.ups = nn.ModuleList([nn.ConvTranspose2d(2 * w, w, 2, 2) for w in widths[-2::-1]])
        self.up = nn.ModuleList([pair(2 * w, w) for w in widths[-2::-1]])
        self.head = nn.Conv2d(width, outputs, 1)

    def forward(self, x):
        skips = []
        for depth, convs in enumerate(self.down):
            for conv in convs:
                x = conv(x).relu()
            if depth < 4:
                skips.append(x)
                x = nn.functional.max_pool2d(x, 2)
        for up, convs in zip(self.ups, self.up):
            x, skip = up(x), skips.pop()
            cut = (skip.shape[2] - x.shape[2]) // 2
            x = torch.cat([skip[:, :, cut : cut + x.shape[2], cut : cut + x.shape[3]], x], 1)
            for conv in convs:
                x = conv(x).relu()
        return self.head(x)
