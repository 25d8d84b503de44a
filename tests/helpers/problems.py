"""The mistakes that the program reports."""


def problems_of(said):
  """{path: value and rule} of what stands on standard error."""
  return dict(line.strip().removeprefix('config.').split(' = ', 1)
              for line in said.splitlines() if line.startswith('  config.'))
