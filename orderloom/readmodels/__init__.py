"""SELECT-only queries for the API, the console and reports."""
