"""Parts of the pages Train and Runs. The pages train nothing themselves: `engine.jobs` starts processes that do."""
