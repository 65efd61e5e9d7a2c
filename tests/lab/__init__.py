"""Networks to try a node in: namespaces, an Internet, a village with its people."""
