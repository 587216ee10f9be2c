"""Pre-trade risk: limits, the rules that keep them, and the gate that every order passes."""
