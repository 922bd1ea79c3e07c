"""What the probe sees, by organ: each function draws one scene at random from a plan."""
