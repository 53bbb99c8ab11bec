"""The flow language: CNCF Serverless Workflow DSL 1.0.3 for orders. Knows nothing of Temporal or of a database."""
