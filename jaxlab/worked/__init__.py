r"""Neurons worked by hand: pure functions whose scan over samples returns a trace of every intermediate.

| module | what | spec |
|---|---|---|
| `gates` | threshold units, truth tables, room for the threshold | C01, C18 to C21 |
| `perceptron` | the perceptron rule, many starts, cycles | A01, C05, C14, C22, C23 |
| `separability` | is one line enough (linear programme), margin, mistake bound | A01, C05, C14, C18 |
| `delta_rule` | Widrow-Hoff and its sigmoid form, stability, error surface | A03, C03, C31, C34 |
| `network` | forward and backward passes, columns, bias row on top | C02, C07 to C17, C24 to C30 |
| `online` | online backpropagation to a stop, a thousand starts at once | A02 |
| `gradient_check` | hand gradients beside `jax.grad` and central differences | all of them |
| `attention` | scaled dot-product attention, every matrix | A07, B24, D3.1 |
| `manual_backprop` | sigmoid and softmax layer, as published and corrected | E1 |
| `museum` | wrong formulas that were printed or executed, replayed | C08, C10, C11, C15, C33 |
| `quantities` | a pass's matrices by the names of the pages | |
| `cases` | the reports' cases as data, printed beside right, slips | all of them |
| `show` | traces as figures, tables, worked pages | |
| `pages` | the reports' pages, put together of these | |

A trace is a NamedTuple in the order in which a person computes it. Everything follows the precision of its inputs:
float64 under `jax.enable_x64(True)`, else float32. A rule or a pass may be jitted, vmapped and scanned; what decides on
the host (stopping, separability, tables) says so in its name: `train_...`, `...run`.
"""
