"""One folder a run; why a run is fresh or stale; where a result comes from."""
