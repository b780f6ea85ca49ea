# First boot, as root: fetches the project's code from the bucket and goes on there. No braces after a dollar sign
# in this file: CloudFormation would take them for its own.
root=$WORKBENCH_MACHINE_ROOT
[ -n "$root" ] || root=/opt/workbench
export root
mkdir -p "$root/code"
# The log, and the console as well, which can be read when the machine is gone: aws ec2 get-console-output
console=/dev/null
if [ -d /run/systemd/system ] && [ -w /dev/console ]; then console=/dev/console; fi
rm -f "$root/boot.pipe"
mkfifo "$root/boot.pipe"
tee -a "$root/boot.log" <"$root/boot.pipe" >"$console" 2>&1 &
exec >"$root/boot.pipe" 2>&1
rm "$root/boot.pipe"
python=$root/env/bin/python
tries=0
until [ -f "$root/code/fetched" ]; do
    tries=$(expr $tries + 1)
    [ $tries -le 20 ] || exit 1
    [ $tries = 1 ] || sleep 15
    if [ ! -x "$python" ]; then
        apt-get -qq update && apt-get -qq install -y python3-boto3 && python=/usr/bin/python3 || continue
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
