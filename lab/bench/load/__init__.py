"""Load generators side by side: wrk, h2load, ab, k6, Locust as it comes, and Locust on the engine of locustfiles/."""
