#!/bin/sh
# First boot of a machine of a training cluster: its Python, the project's code, the agent. Filled in by user_data.py.
set -eu
BUCKET='@BUCKET@' CODE='@CODE@' REGION='@REGION@' CLUSTER='@CLUSTER@' OWNER='@HOME@' MINUTES='@MINUTES@'
ROOT=${WORKBENCH_MACHINE_ROOT:-/opt/workbench}
export AWS_DEFAULT_REGION="$REGION"
mkdir -p "$ROOT/jobs" "$ROOT/home/data" "$ROOT/per-boot"
chmod 711 "$ROOT" "$ROOT/jobs" "$ROOT/home"
exec >>"$ROOT/boot.log" 2>&1
echo "$(date -u +%FT%TZ) first boot of a machine of $CLUSTER"

# A forgotten machine ends itself: per boot, for user data runs once. Being shut down terminates it.
cat >"$ROOT/per-boot/10-time-to-live" <<END
#!/bin/sh
shutdown -h +$MINUTES
END
chmod 755 "$ROOT/per-boot/10-time-to-live"
if [ -d /var/lib/cloud/scripts/per-boot ]; then
    ln -sf "$ROOT/per-boot/10-time-to-live" /var/lib/cloud/scripts/per-boot/
fi
"$ROOT/per-boot/10-time-to-live"

# Fetches the code, if it is not there, and goes on as the agent: what takes longest, boto3, is loaded once.
cat >"$ROOT/start.py" <<'END'
import os, runpy, sys, zipfile
import boto3
root, bucket, key, *rest = sys.argv[1:]
if not os.path.exists(f"{root}/code.key"):
    boto3.client("s3").download_file(bucket, key, f"{root}/code.zip")
    zipfile.ZipFile(f"{root}/code.zip").extractall(f"{root}/code")
    with open(f"{root}/code.key", "w") as file:
        file.write(key)
if rest:
    sys.path.insert(0, f"{root}/code")
    sys.argv = ["agent", bucket, *rest]
    runpy.run_module("workbench.machines.aws.on_machine.agent", run_name="__main__", alter_sys=True)
END
if [ ! -x "$ROOT/env/bin/python" ]; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get -q -o DPkg::Lock::Timeout=600 update
    apt-get -q -o DPkg::Lock::Timeout=600 install -y --no-install-recommends \
        python3-boto3 python3-venv nftables libgl1 libglib2.0-0
    /usr/bin/python3 "$ROOT/start.py" "$ROOT" "$BUCKET" "$CODE"
    python3 -m venv "$ROOT/uv"
    "$ROOT/uv/bin/pip" install --quiet uv
    UV_PROJECT_ENVIRONMENT="$ROOT/env" UV_CACHE_DIR="$ROOT/cache" UV_LINK_MODE=copy "$ROOT/uv/bin/uv" sync \
        --directory "$ROOT/code" --frozen --quiet --no-install-project --python /usr/bin/python3 \
        --extra train --extra aws
    rm -rf "$ROOT/cache"
fi

# The agent, at each boot, and again whenever it dies.
if [ -d /run/systemd/system ]; then
    cat >/etc/systemd/system/workbench-agent.service <<END
[Unit]
After=network-online.target
Wants=network-online.target
[Service]
Environment=AWS_DEFAULT_REGION=$REGION PYTHONDONTWRITEBYTECODE=1
ExecStart=$ROOT/env/bin/python $ROOT/start.py $ROOT $BUCKET $CODE $CLUSTER $OWNER
StandardOutput=append:$ROOT/agent.log
StandardError=append:$ROOT/agent.log
Restart=on-failure
RestartSec=2
[Install]
WantedBy=multi-user.target
END
    systemctl enable --now workbench-agent
else
    cat >"$ROOT/per-boot/20-agent" <<END
#!/bin/sh
export AWS_DEFAULT_REGION=$REGION PYTHONDONTWRITEBYTECODE=1
setsid sh -c 'until "\$@"; do sleep 2; done' - "$ROOT/env/bin/python" "$ROOT/start.py" "$ROOT" "$BUCKET" "$CODE" \\
    "$CLUSTER" "$OWNER" \\
    >>"$ROOT/agent.log" 2>&1 </dev/null &
END
    chmod 755 "$ROOT/per-boot/20-agent"
    "$ROOT/per-boot/20-agent"
fi
echo "$(date -u +%FT%TZ) the agent runs"
