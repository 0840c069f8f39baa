"""What Duet survives, tried against the real thing: real processes, a real database, in a home of their own.

    python -m tests.faults                  # every case with few trials: a minute or two
    python -m tests.faults --long           # with the full number of trials: most of an hour
    python -m tests.faults --case 1 8 --long

`registry.py` lists the cases; a new one is a function and an entry there. pytest runs the quick form.
"""
