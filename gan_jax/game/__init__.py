"""The game, pure: functions of arrays that know no device, disk, flag or clock.

Read `step.py` first. `terms.py` has the parts of an update, `rules.py` what a
game is made of, `state.py` what is trained, `diagnosis.py` what is measured
once per logged row, `sampling.py` how images are drawn. To add a prior or a
schedule, write a function in `latents.py` or `schedules.py`.
"""
