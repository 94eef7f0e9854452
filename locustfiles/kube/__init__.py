"""Objects of Kubernetes as load: agents that fulfil them, what is made, and when each of its stages was seen."""
