"""What nodes say of themselves in the formats of other programs."""
