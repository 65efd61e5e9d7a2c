"""The ways out for alerts: mail, Matrix, a webhook and a file."""
