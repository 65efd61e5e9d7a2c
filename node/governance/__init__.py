"""The community's rules: their model, their checks, and what each account may use now, with the reason for each
limit."""
