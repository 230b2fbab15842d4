"""Loaded by schemathesis (test_openapi.py): numbers at random are numbers of things that are there, so that calls get past the 404."""

import schemathesis

# Things of every kind that the test makes before.
THINGS = 40


@schemathesis.hook
def before_call(context, case, kwargs):
    parameters = case.path_parameters or {}
    for name, value in parameters.items():
        # What is no number, or too large to be one, is tried as it is.
        if name.endswith("_id") and isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63:
            parameters[name] = abs(value) % THINGS + 1
