"""What the lab and the gate cost: seconds, memory and processor time, measured, printed beside their goals, never asserted."""
