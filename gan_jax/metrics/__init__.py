"""Numbers that compare examples: functions of arrays, in numpy and JAX."""
