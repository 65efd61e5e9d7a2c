"""History of the node: series of numbers over time, from ten seconds to three years. Nothing in it is about a person."""
