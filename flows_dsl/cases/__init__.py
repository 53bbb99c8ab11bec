"""Cases of flows: YAML files beside the flows that say what comes in, what actions answer, and what must follow."""
