#!/bin/sh
# Runs once, as the superuser, when PostgreSQL's volume is empty: roles, and the databases of orders and of keys.
# Temporal's own tool makes Temporal's databases (deploy/temporal/create-schema.sh).
set -eu

psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --dbname postgres \
    --set orders="$ORDERS_PASSWORD" --set temporal="$TEMPORAL_PASSWORD" <<'SQL'
CREATE ROLE orderloom LOGIN PASSWORD :'orders';
CREATE ROLE temporal LOGIN CREATEDB PASSWORD :'temporal';
CREATE DATABASE orderloom OWNER orderloom;
CREATE DATABASE orderloom_keys OWNER orderloom;
REVOKE CONNECT ON DATABASE orderloom, orderloom_keys FROM PUBLIC;
SQL
