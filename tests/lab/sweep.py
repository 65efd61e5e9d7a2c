"""``python -m tests.lab.sweep``: removes what killed labs left behind, and prints what it was."""

from tests.lab.lab_resources import sweep

if __name__ == "__main__":
    for thing in sweep() or ["nothing was left"]:
        print(thing)
