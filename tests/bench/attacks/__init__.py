"""What hostile devices do, one job a module; every loop ends by itself after the job's ``seconds``.

``python -m tests.bench.attacks JOB '{...}'`` in the device's namespace prints what came of it as one line of JSON. All of
it happens inside a lab's own namespaces: addresses are those of the lab's documentation networks.
"""
