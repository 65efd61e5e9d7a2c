"""Jobs of hostile devices, one a module; every loop ends by itself after the job's ``seconds``.

``python -m tests.bench.attacks JOB '{...}'`` in the device's namespace prints the result as one line of JSON. All
traffic stays in a lab's namespaces and uses documentation addresses (RFC 5737) or private ones.
"""
