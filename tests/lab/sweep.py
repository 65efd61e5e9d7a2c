"""``python -m tests.lab.sweep``: clear what killed labs left behind, and say what it was."""

from tests.lab.lab_resources import sweep

if __name__ == "__main__":
    for thing in sweep() or ["nothing was left"]:
        print(thing)
