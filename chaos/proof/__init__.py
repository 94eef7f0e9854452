"""The proof: each fault is put in, the gate looks, and what it says is compared with what the fault file expects."""
