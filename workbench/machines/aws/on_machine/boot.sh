#!/bin/sh
# First boot of a machine of a training cluster: its Python, the project's code, the agent. Filled in by user_data.py.
set -eu
BUCKET='@BUCKET@' CODE='@CODE@' REGION='@REGION@' CLUSTER='@CLUSTER@' OWNER='@HOME@' MINUTES='@MINUTES@' MODE='@MODE@'
GPUS='@GPUS@'
ROOT=${WORKBENCH_MACHINE_ROOT:-/opt/workbench}
export AWS_DEFAULT_REGION="$REGION"
mkdir -p "$ROOT/jobs" "$ROOT/home/data" "$ROOT/per-boot"
chmod 711 "$ROOT" "$ROOT/jobs" "$ROOT/home"
# The log, and the console as well, which can be read when the machine is gone: aws ec2 get-console-output
console=/dev/null
if [ -d /run/systemd/system ] && [ -w /dev/console ]; then console=/dev/console; fi
rm -f "$ROOT/boot.pipe"
mkfifo "$ROOT/boot.pipe"
tee -a "$ROOT/boot.log" <"$ROOT/boot.pipe" >"$console" 2>&1 &
exec >"$ROOT/boot.pipe" 2>&1
rm "$ROOT/boot.pipe"

# What fails for a moment is tried again; what fails for good is told in the bucket, for whoever waits for the machine.
again() {
    tries=0
    until "$@"; do
        tries=$((tries + 1))
        [ $tries -lt ${TRIES:-5} ] || return 1
        sleep $((tries * ${PAUSE:-15}))
    done
}
cat >"$ROOT/failed.py" <<'END'
import os, sys, urllib.request
import boto3
def tell(bucket, folder, body):
    instance = os.environ.get("INSTANCE_ID")
    if not instance:
        base = "http://169.254.169.254/latest"
        wish = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
        asked = urllib.request.Request(base + "/api/token", method="PUT", headers=wish)
        token = {"X-aws-ec2-metadata-token": urllib.request.urlopen(asked, timeout=5).read().decode()}
        asked = urllib.request.Request(base + "/meta-data/instance-id", headers=token)
        instance = urllib.request.urlopen(asked, timeout=5).read().decode()
    owner = bucket.split("-")[1]
    boto3.client("s3").put_object(Bucket=bucket, Key=f"{folder}/{instance}", Body=body, ExpectedBucketOwner=owner)
if __name__ == "__main__":
    bucket, folder, log, code = sys.argv[1:]
    with open(log, errors="replace") as file:
        lines = [line.strip() for line in file if line.strip()][-5:]
    tell(bucket, folder, (f"its first boot ended with code {code}: " + " / ".join(lines))[-2000:].encode())
END
tell_failure() {
    code=$?
    [ $code = 0 ] && return
    for python in "$ROOT/env/bin/python" /usr/bin/python3; do
        "$python" "$ROOT/failed.py" "$BUCKET" "clusters/$OWNER/$CLUSTER/boot" "$ROOT/boot.log" $code && break
    done
    echo "first boot ended with code $code: this machine ends in ${LINGER:-15} minutes"
    shutdown -h "+${LINGER:-15}" # what waits for it ends it sooner; should nobody wait, it must not go on costing
}
trap tell_failure EXIT
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
    owner = {"ExpectedBucketOwner": bucket.split("-")[1]}
    boto3.client("s3").download_file(bucket, key, f"{root}/code.zip", ExtraArgs=owner)
    zipfile.ZipFile(f"{root}/code.zip").extractall(f"{root}/code")
    with open(f"{root}/code.key", "w") as file:
        file.write(key)
if rest:
    sys.path.insert(0, f"{root}/code")
    sys.argv = ["agent", bucket, *rest]
    runpy.run_module("workbench.machines.aws.on_machine.agent", run_name="__main__", alter_sys=True)
END
# An image has what the working machine needs, too.
extras='--extra train --extra aws'
if [ "$MODE" != cluster ]; then
    extras="$extras --extra backend --extra dashboard"
    # Roles may write nothing here: without it each start of one would compile TensorFlow again.
    export UV_COMPILE_BYTECODE=1
fi
[ "$GPUS" = no ] || extras="$extras --group gpu"
# GPUs that nothing uses would only cost: without a driver, or unseen by TensorFlow, this is a first boot that failed.
find_driver() {
    nvidia-smi --list-gpus && return
    echo "this image has no driver that finds the machine's GPUs (nvidia-smi); name another one by WORKBENCH_AWS_GPU_IMAGE"
    exit 3
}
find_gpus() {
    find_driver
    "$ROOT/env/bin/python" -c 'import sys, tensorflow as tf
found = tf.config.list_physical_devices("GPU")
print(found)
sys.exit(not found)' && return
    echo "TensorFlow finds none of the machine's GPUs, though the driver does: it may be too old for CUDA 12"
    exit 3
}
began=$(date +%s)
# User data runs once: a first boot that was cut off goes on at the next boot; that of an image is no other machine's.
if [ "$MODE" = cluster ] && [ -d /var/lib/cloud/scripts/per-boot ] && [ ! -e "$ROOT/first-boot" ]; then
    cp "$0" "$ROOT/first-boot.new" && mv "$ROOT/first-boot.new" "$ROOT/first-boot"
    cat >"$ROOT/per-boot/30-first-boot" <<END
#!/bin/sh
[ -e "$ROOT/booted" ] || exec sh "$ROOT/first-boot"
END
    chmod 755 "$ROOT/per-boot/30-first-boot"
    ln -sf "$ROOT/per-boot/30-first-boot" /var/lib/cloud/scripts/per-boot/
fi

if [ ! -x "$ROOT/env/bin/python" ] || [ -e "$ROOT/env.unfinished" ]; then
    touch "$ROOT/env.unfinished"
    export DEBIAN_FRONTEND=noninteractive
    again apt-get -q -o DPkg::Lock::Timeout=600 update
    again apt-get -q -o DPkg::Lock::Timeout=600 install -y --no-install-recommends \
        python3-boto3 python3-venv nftables libgl1 libglib2.0-0 openssl
    [ "$GPUS" = no ] || find_driver
    again /usr/bin/python3 "$ROOT/start.py" "$ROOT" "$BUCKET" "$CODE"
    python3 -m venv "$ROOT/uv"
    again "$ROOT/uv/bin/pip" install --quiet 'uv==0.13.9'
    export UV_PROJECT_ENVIRONMENT="$ROOT/env" UV_CACHE_DIR="$ROOT/cache" UV_LINK_MODE=copy
    # shellcheck disable=SC2086 - several extras
    again "$ROOT/uv/bin/uv" sync --directory "$ROOT/code" --frozen --quiet --no-install-project --python /usr/bin/python3 \
        $extras
    # Compiled once, by whoever may write it down: a job's process would compile all of TensorFlow's Python at each start.
    PYTHONPATH="$ROOT/code" "$ROOT/env/bin/python" -c 'import workbench.node.role' || echo "nothing was compiled beforehand"
    rm -rf "$ROOT/cache" "$ROOT/env.unfinished"
fi

[ "$GPUS" = no ] || find_gpus
echo "$(date -u +%FT%TZ) installing took $(($(date +%s) - began)) s"

# An image is made of this machine's disk: what every machine has stays, what is this one's own goes.
if [ "$MODE" = image ]; then
    "$ROOT/env/bin/python" - "$BUCKET" "clusters/$OWNER/$CLUSTER" "$ROOT/failed.py" <<'END'
import runpy, sys
bucket, folder, helper = sys.argv[1:]
tell = runpy.run_path(helper, run_name="helper")["tell"]
tell(bucket, f"{folder}/baked", b"installed")
END
    rm -rf "$ROOT/code" "$ROOT/code.key" "$ROOT/code.zip" "$ROOT/jobs" "$ROOT/home" "$ROOT/per-boot/10-time-to-live"
    rm -f /var/lib/cloud/scripts/per-boot/10-time-to-live "$ROOT/boot.log"
    [ ! -d /run/systemd/system ] || : >/etc/machine-id
    shutdown -h now
    exit 0
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
# Where memory runs out the kernel ends the training, whose end the agent judges; systemd would end the agent, too.
OOMPolicy=continue
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
touch "$ROOT/booted"
echo "$(date -u +%FT%TZ) the agent runs"
