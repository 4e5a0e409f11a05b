"""What an attacker finds in served vectors and lists, and what it costs each group."""
