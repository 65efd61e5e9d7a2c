"""Test networks for a node: namespaces, an Internet, and a village with its people."""
