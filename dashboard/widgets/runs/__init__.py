"""What the pages Train and Runs share: trainings under way, the table of runs, and what is done with those selected."""
