"""What a node needs: `facts` looks at the machine, `diagnoses` says what that means and what mends it."""
