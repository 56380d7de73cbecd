"""Every way of computing a convolution on a CPU, map by map, with and without oneDNN: `python -m benchmarks.convolutions`.

Each form runs inside a compiled loop, as in training (alone, a form can be a hundred times faster or slower). The forms of
one map take turns; the smallest time of all rounds is shown in milliseconds. `>` marks the form that jaxlab takes with
that compiler; where it is not the fastest one, jaxlab's rule is worth another look.
"""

import argparse
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxlab.allocator import keep_memory
from jaxlab.layers import conv_cpu, conv_grouped, onednn
from jaxlab.layers.conv_geometry import Geometry

SLOW = 1.0  # seconds: a form that takes longer is measured once


class Case(NamedTuple):
    """One layer: images, size of the image and the kernel, stride, channels in and out, groups."""

    images: int
    space: int
    size: int
    stride: int
    inputs: int
    outputs: int
    groups: int = 1

    @property
    def geometry(self) -> Geometry:
        """With padding 'SAME'."""
        pads = lax.padtype_to_pads((self.space,) * 2, (self.size,) * 2, (self.stride,) * 2, 'SAME')
        return Geometry((self.space,) * 2, (self.size,) * 2, (self.stride,) * 2, tuple(pads), (1, 1))

    @property
    def title(self) -> str:
        """As people write it."""
        stride = f' stride {self.stride}' if self.stride > 1 else ''
        groups = f' groups {self.groups}' if self.groups > 1 else ''
        return (
            f'{self.size}x{self.size}{stride}{groups}, {self.space}x{self.space}, {self.inputs} -> {self.outputs}, '
            f'batch {self.images}'
        )

    @property
    def arithmetic(self) -> float:
        """Floating-point operations of one map, taps that fall on padding counted."""
        out = self.geometry.out
        return 2.0 * self.images * out[0] * out[1] * self.size**2 * self.inputs * self.outputs / self.groups


CASES = (
    Case(64, 32, 3, 1, 3, 64),
    Case(64, 32, 3, 1, 64, 64),
    Case(64, 16, 3, 1, 128, 128),
    Case(64, 8, 3, 1, 256, 256),
    Case(64, 4, 3, 1, 512, 512),
    Case(128, 2, 3, 1, 512, 512),
    Case(64, 32, 3, 1, 16, 32),
    Case(64, 32, 3, 2, 64, 128),
    Case(64, 8, 3, 2, 256, 512),
    Case(64, 16, 1, 1, 128, 128),
    Case(64, 32, 1, 2, 64, 128),
    Case(256, 28, 5, 2, 1, 64),
    Case(256, 28, 5, 2, 64, 1),
    Case(256, 14, 5, 2, 64, 128),
    Case(256, 14, 5, 2, 128, 64),
    Case(256, 7, 5, 1, 128, 256),
    Case(32, 28, 5, 2, 1, 64),
    Case(32, 14, 5, 2, 64, 128),
    Case(32, 7, 5, 1, 128, 256),
    Case(64, 28, 5, 1, 1, 6),
    Case(64, 14, 5, 1, 6, 16),
    Case(16, 112, 7, 2, 3, 64),
    Case(32, 56, 3, 1, 144, 144, 144),
    Case(32, 56, 3, 2, 96, 96, 96),
    Case(32, 14, 5, 1, 480, 480, 480),
    Case(32, 7, 5, 1, 1152, 1152, 1152),
    Case(32, 28, 3, 1, 128, 128, 32),
)
QUICK = (CASES[1], CASES[13], CASES[22])


def operands(case: Case) -> dict[str, tuple[jax.Array, jax.Array]]:
    """The two arguments of each map."""
    keys = jax.random.split(jax.random.key(0), 3)
    x = jax.random.normal(keys[0], (case.images, *case.geometry.space, case.inputs))
    kernel = jax.random.normal(keys[1], (case.size, case.size, case.inputs // case.groups, case.outputs)) / case.size
    g = jax.random.normal(keys[2], (case.images, *case.geometry.out, case.outputs))
    return {'forward': (x, kernel), 'input_gradient': (g, kernel), 'kernel_gradient': (x, g)}


def candidates(case: Case, name: str, arguments: tuple[jax.Array, jax.Array]) -> dict[str, Callable]:
    """All forms of a map that are possible here, by name."""
    if case.groups > 1:
        return conv_grouped.forms(case.geometry, case.groups, name, case.groups == case.inputs)
    return conv_cpu.forms(case.geometry, name, *arguments)


def taken(case: Case, name: str, arguments: tuple[jax.Array, jax.Array], by_onednn: bool) -> str:
    """The form that jaxlab takes."""
    if case.groups > 1:
        return conv_grouped.choice(case.geometry, case.groups, name, case.groups == case.inputs, by_onednn)
    return conv_cpu.choice(case.geometry, name, *arguments, by_onednn=by_onednn)


def looped(function: Callable, a: jax.Array, b: jax.Array, by_onednn: bool) -> Callable[[int], float]:
    """`run(n)` -> seconds of a loop of n such maps in one compiled program."""

    def program(n: jax.Array, a: jax.Array, b: jax.Array) -> jax.Array:
        def body(_: jax.Array, carry: tuple) -> tuple:
            a, b, _old = carry
            return lax.optimization_barrier((a, b, function(a, b)))

        return lax.fori_loop(0, n, body, (a, b, jnp.zeros(jax.eval_shape(function, a, b).shape)))[2]

    with onednn.used(by_onednn):
        compiled = jax.jit(program).lower(np.int32(1), a, b).compile(onednn.compiler_options())

    def run(n: int) -> float:
        begun = time.perf_counter()
        jax.block_until_ready(compiled(np.int32(n), a, b))
        return time.perf_counter() - begun

    return run


def measure(case: Case, name: str, options: argparse.Namespace) -> dict[tuple[str, bool], float]:
    """(form, with oneDNN) -> milliseconds."""
    arguments = operands(case)[name]
    modes = (False, True) if onednn.available() else (False,)
    runs, counts, best = {}, {}, {}
    for form, function in candidates(case, name, arguments).items():
        for mode in modes:
            run = looped(function, *arguments, mode)
            first = min(run(1), run(1))
            runs[form, mode], best[form, mode] = run, first
            counts[form, mode] = 0 if first > SLOW else max(1, round(options.seconds / first))
    for _ in range(options.rounds):
        for key, run in runs.items():
            if counts[key]:
                best[key] = min(best[key], run(counts[key]) / counts[key])
    return {key: 1e3 * seconds for key, seconds in best.items()}


def show(case: Case, name: str, times: dict[tuple[str, bool], float]) -> None:
    """Two lines: without and with oneDNN."""
    arguments = operands(case)[name]
    for mode in (False, True):
        here = {form: ms for (form, of), ms in times.items() if of == mode}
        if not here:
            continue
        chosen = taken(case, name, arguments, mode)
        ranked = sorted(here.items(), key=lambda item: item[1])
        cells = ', '.join(f'{">" if form == chosen else ""}{form} {ms:.2f}' for form, ms in ranked)
        rate = case.arithmetic / here[chosen] / 1e6 if chosen in here else 0
        print(f'  {name:<16}{"oneDNN" if mode else "own":<8}{cells}  ({rate:.0f} GF/s)', flush=True)


def main(argv: list[str] | None = None) -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(prog='python -m benchmarks.convolutions', description=__doc__.splitlines()[0])
    parser.add_argument('--seconds', type=float, default=0.2, help='seconds a form and round (default 0.2)')
    parser.add_argument('--rounds', type=int, default=5, help='rounds (default 5)')
    parser.add_argument('--cases', type=int, nargs='*', help='numbers of cases (default: all)')
    parser.add_argument('--quick', action='store_true', help='three cases, one round')
    options = parser.parse_args(argv)
    cases: Any = QUICK if options.quick else CASES
    if options.quick:
        options.rounds, options.seconds = 1, 0.05
    if options.cases:
        cases = [CASES[number] for number in options.cases]
    keep_memory()
    if not onednn.available():
        print('oneDNN: not offered by this jaxlib and processor')
    for case in cases:
        print(f'\n{case.title}: {case.arithmetic / 1e9:.2f} GFLOP a map', flush=True)
        for name in operands(case):
            show(case, name, measure(case, name, options))
    return 0


if __name__ == '__main__':
    sys.exit(main())
