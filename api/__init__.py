"""The HTTP API for channels, locations, gateways and operators."""
