"""Numerical operations that networks, losses and metrics share; pure.

`conv.py`: convolutions with fast derivatives of any order (`cpu_conv.py` is how
they are computed on CPU); `images.py`: flips and warps of images.
"""
