"""What every room uses, and none of it knows of GANs or devices.

`lookup`: names in a config -> functions, the one plug-in rule. `files`: files
that are whole or absent, lines of JSON. `errors`: what a user can mend, with
the exit status of the program. Add a new kind of error to `errors`.
"""
