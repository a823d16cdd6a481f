"""Load tests: schedule, generator, report."""
