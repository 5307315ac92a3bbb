"""Find schedules that recompute values to hold fewer bytes."""
