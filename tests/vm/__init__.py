"""A virtual machine with Debian's own kernel, and the checks of a release that run in it (``deploy/lab``)."""
