"""plumbline shows whether a test bed is true: go, no-go or unknown, with the reason and the remedy."""
