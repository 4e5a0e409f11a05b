"""How likely something was seen, and what a loss should be multiplied by in return."""
