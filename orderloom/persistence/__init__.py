"""PostgreSQL: tables by area, the unit of work, repositories and migrations."""
