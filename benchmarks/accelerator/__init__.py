"""Everything that is measured on one accelerator, in one command: `python -m benchmarks.accelerator`.

| part | what it answers |
|---|---|
| `equality` | Does a training on the accelerator give the numbers of the CPU? |
| `table` | What does a step cost, beside stock Flax and PyTorch on the same card? |
| `replicas` | What do 5 and 25 trainings in one program cost, in steps of one? |
| `bfloat16` | What does half precision save? |
| `cifar10` | After how many seconds does the project's ResNet-18 reach 94 % on CIFAR-10? |

The command itself computes nothing: every measurement is a process of its own, so that one that dies or hangs costs its
own numbers only. What was measured is on disk after each model.
"""
