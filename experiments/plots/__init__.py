"""From results to drawings."""
