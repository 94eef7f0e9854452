"""What a load run tells, and how it is judged. It knows nothing of what made the load."""
