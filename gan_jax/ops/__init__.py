"""Pure numerical operations that networks, losses and metrics share.

`conv.py`: convolutions with fast derivatives of any order (`cpu_conv.py`: their
forms for CPUs); `images.py`: flips and warps; `likelihoods.py`: log densities;
`keys.py`: random keys of examples and draws.
"""
