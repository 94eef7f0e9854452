"""What runs on a node: standard library only, Python 3.10 or later, sent as one text and gone when it has answered."""
