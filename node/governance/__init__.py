"""What we agreed: rules, their checks, and what each household may use now, with the reason of each limit."""
