# First boot, as root: fetches the project's code from the bucket and goes on there. No braces after a dollar sign
# in this file: CloudFormation would take them for its own.
root=$WORKBENCH_MACHINE_ROOT
[ -n "$root" ] || root=/opt/workbench
[ -n "$LINGER" ] || LINGER=60
export root LINGER
mkdir -p "$root/code"
# User data runs once: a first boot that was cut off, or failed, goes on at the next boot.
if [ -d /var/lib/cloud/scripts/per-boot ] && [ ! -e "$root/first-boot" ]; then
    cp "$0" "$root/first-boot.new" && mv "$root/first-boot.new" "$root/first-boot"
    again=/var/lib/cloud/scripts/per-boot/workbench-first-boot
    printf '#!/bin/sh\n[ -e %s/booted ] || exec sh %s/first-boot\n' "$root" "$root" >"$again"
    chmod 755 "$again"
fi
# The log, and the console as well, which can be read when the machine is gone: aws ec2 get-console-output
console=/dev/null
if [ -d /run/systemd/system ] && [ -w /dev/console ]; then console=/dev/console; fi
rm -f "$root/boot.pipe"
mkfifo "$root/boot.pipe"
tee -a "$root/boot.log" <"$root/boot.pipe" >"$console" 2>&1 &
exec >"$root/boot.pipe" 2>&1
rm "$root/boot.pipe"
python=$root/env/bin/python
[ -x "$python" ] && [ ! -e "$root/env.unfinished" ] || python=/usr/bin/python3
tries=0
until [ -f "$root/code/fetched" ]; do
    tries=$(expr $tries + 1)
    if [ $tries -gt 20 ]; then
        echo "neither Debian's packages nor the bucket can be reached: this machine stops in $LINGER minutes"
        shutdown -h "+$LINGER"
        exit 1
    fi
    [ $tries = 1 ] || sleep 15
    if [ "$python" = /usr/bin/python3 ] && ! "$python" -c 'import boto3' 2>/dev/null; then
        apt-get -qq update && apt-get -qq -o DPkg::Lock::Timeout=600 install -y python3-boto3 || continue
    fi
    "$python" - <<'END' && touch "$root/code/fetched"
import io, os, zipfile
import boto3
bucket = os.environ["BUCKET"]
owner = bucket.split("-")[1]
stored = boto3.client("s3").get_object(Bucket=bucket, Key=os.environ["CODE"], ExpectedBucketOwner=owner)
zipfile.ZipFile(io.BytesIO(stored["Body"].read())).extractall(os.environ["root"] + "/code")
END
done
export python
exec sh "$root/code/workbench/application/boot/app.sh"
