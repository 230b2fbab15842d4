"""The parts of soak.py: the plan, cameras whose frames are numbered, what is counted, what is watched, and who visits."""
