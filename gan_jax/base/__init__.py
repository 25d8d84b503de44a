"""Names, files and errors: shared by all packages; no GANs, no devices.

`lookup` finds the function that a config names, `files` writes files atomically
and reads JSON lines, `errors` has the errors a user can fix, with exit
statuses.
"""
