"""Load from pods: Locust's master and its workers in the cluster, at the place of the workload that a target names."""
