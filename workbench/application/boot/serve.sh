#!/bin/sh
# What a machine of the application does from boot to boot: runs its service, and tells once it answers.
set -eu
python=$root/env/bin/python
own=$(dirname "$0")
(
    tries=0
    until curl -skf -o /dev/null -m 5 "$ASK"; do
        tries=$((tries + 1))
        [ $tries -lt 600 ] || exec "$TELLER" "$own/ask_aws.py" tell failed "nothing answers at $ASK"
        sleep 0.5
    done
    exec "$TELLER" "$own/ask_aws.py" tell ready "answers at $ASK"
) &
exec "$python" -m workbench.cli up --only "$ONLY"
