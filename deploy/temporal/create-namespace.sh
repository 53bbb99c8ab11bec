#!/bin/sh
# Makes the namespace that orders live in, or sets how long Temporal keeps what has ended. Safe to run at every start.
set -eu

temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention "$RETENTION" ||
    temporal operator namespace update --namespace "$TEMPORAL_NAMESPACE" --retention "$RETENTION"
