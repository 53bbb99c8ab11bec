#!/bin/sh
# Makes Temporal's two databases, or brings them to the version of this image. Safe to run at every start.
set -eu

for database in temporal:temporal temporal_visibility:visibility; do
    export SQL_DATABASE="${database%:*}"
    temporal-sql-tool create-database
    temporal-sql-tool setup-schema --version 0.0
    temporal-sql-tool update-schema --schema-dir "/etc/temporal/schema/postgresql/v12/${database#*:}/versioned"
done
