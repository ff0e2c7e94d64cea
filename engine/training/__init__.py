"""Meta-training: the one loop, its plans, sessions, snapshots, recipes and estimates."""
