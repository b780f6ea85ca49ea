#!/bin/sh
# First boot of one of the application's machines, as root: makes its Python environment, fetches its secrets,
# starts its service, which each later boot starts again.
# From fetch.sh: ROLE STACK BUCKET BACKEND PAGE_PORT AWS_DEFAULT_REGION root python, and of the working machine IDLE_MINUTES
set -eu
here=$root/code/workbench/application/boot
say() { echo "$(date -u +%FT%TZ) $*"; }
tell() { say "$@"; "$python" "$here/ask_aws.py" tell "$@" || say "the bucket does not take that"; }
give_up() { # stopped it costs its disk alone; started again it goes on with its first boot
    code=$?
    [ $code = 0 ] && return
    said=$(tail -n 3 "$root/boot.log" | tr '\n' ' ')
    tell failed "first boot ended with code $code; this machine stops in ${LINGER:-60} minutes: $said"
    shutdown -h "+${LINGER:-60}"
}
trap give_up EXIT

again() { # what fails for a moment is tried again
    tries=0
    until "$@"; do
        tries=$((tries + 1))
        [ $tries -lt 5 ] || return 1
        sleep $((tries * 15))
    done
}

tell installing "installing what the $ROLE machine needs"
case $ROLE in
    frontend) packages=apache2-bin extras= only=frontend ;;
    backend) packages='libgl1 libglib2.0-0' extras='--extra backend --extra aws' only=backend ;;
    working) packages='libgl1 libglib2.0-0' extras='--extra backend --extra train --extra dashboard --extra aws' only=dashboard ;;
    *) say "no such role: $ROLE"; exit 2 ;;
esac

if [ ! -x "$root/env/bin/python" ] || [ -e "$root/env.unfinished" ]; then
    touch "$root/env.unfinished"
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086 - several packages
    again apt-get -qq -o DPkg::Lock::Timeout=600 install -y --no-install-recommends $packages python3-venv openssl
    python3 -m venv "$root/uv"
    again "$root/uv/bin/pip" install --quiet 'uv==0.13.9'
    # shellcheck disable=SC2086 - several extras
    export UV_PROJECT_ENVIRONMENT="$root/env"
    again "$root/uv/bin/uv" sync --directory "$root/code" --frozen --quiet \
        --no-install-project --python /usr/bin/python3 $extras
    echo "$root/code" >"$(echo "$root"/env/lib/python3*/site-packages)/workbench-code.pth"
    rm "$root/env.unfinished"
fi

address=$("$python" "$here/ask_aws.py" address)
mkdir -p "$root/home"
idle=${IDLE_MINUTES:-0}
case $address in 127.*) scheme=http ;; *) scheme=https ;; esac
asked=$scheme://$address:8888/api
(
    umask 077
    echo "WORKBENCH_HOME=$root/home"
    echo "WORKBENCH_AWS_STACK=$STACK"
    echo "AWS_DEFAULT_REGION=$AWS_DEFAULT_REGION"
    echo "ONLY=$only"
    echo "TELLER=$python"
    case $ROLE in
        frontend)
            echo "WORKBENCH_FRONTEND_ADDRESS=$address"
            echo "WORKBENCH_FRONTEND_PORT=$PAGE_PORT"
            echo "WORKBENCH_BACKEND_HOST=$BACKEND:5000"
            echo "ASK=http://$address:$PAGE_PORT/" ;;
        backend)
            echo "WORKBENCH_BACKEND_ADDRESS=$address"
            echo "WORKBENCH_TRUSTED_PROXIES=192.168.0.0/24"
            echo "ASK=http://$address:5000/healthz" ;;
        working)
            echo "WORKBENCH_DASHBOARD_ADDRESS=$address"
            echo "WORKBENCH_BACKEND_HOST=$BACKEND:5000"
            echo "ASK=$asked" ;;
    esac
    if [ "$ROLE" != frontend ]; then
        "$root/env/bin/python" "$here/ask_aws.py" secret "/workbench/$STACK/deploy-token" "$root/home/deploy_token"
    fi
    if [ "$ROLE" = working ]; then
        "$root/env/bin/python" "$here/ask_aws.py" secret "/workbench/$STACK/token" "$root/home/token"
    fi
) >"$root/environment.new"
mv "$root/environment.new" "$root/environment"

if [ -d /run/systemd/system ]; then
    user=root # for port 80; the page's Apache becomes www-data itself
    if [ "$ROLE" != frontend ]; then
        user=workbench
        id "$user" >/dev/null 2>&1 || useradd --system --create-home --shell /usr/sbin/nologin "$user"
        chown -R "$user:$user" "$root/home" "$root/code/notebooks"
        chgrp "$user" "$root/environment" && chmod 640 "$root/environment"
    fi
    cat >/etc/systemd/system/workbench.service <<END
[Unit]
Description=workbench $ROLE
Wants=network-online.target
After=network-online.target

[Service]
User=$user
Environment=root=$root BUCKET=$BUCKET STACK=$STACK
EnvironmentFile=$root/environment
WorkingDirectory=$root/code
ExecStart=/bin/sh $here/serve.sh
Restart=always
RestartSec=2
# Where memory runs out the kernel ends the greediest kernel or job; systemd would end all of them.
OOMPolicy=continue
TimeoutStopSec=40
NoNewPrivileges=$([ "$user" = root ] && echo no || echo yes)
ProtectSystem=full

[Install]
WantedBy=multi-user.target
END
    units=workbench.service
    if [ "$ROLE" = working ] && [ "$idle" != 0 ]; then
        units="$units workbench-idle.service"
        cat >/etc/systemd/system/workbench-idle.service <<END
[Unit]
Description=switches the working machine off when nobody uses it
After=workbench.service

[Service]
Environment=root=$root BUCKET=$BUCKET STACK=$STACK
EnvironmentFile=$root/environment
ExecStart=$root/env/bin/python $here/idle.py $asked $root/home/token $idle
Restart=on-failure
RestartSec=60

[Install]
WantedBy=multi-user.target
END
    fi
    systemctl daemon-reload
    # shellcheck disable=SC2086 - several units
    systemctl enable --now $units
else # an emulated machine: no systemd, and what is in per-boot runs at each start
    mkdir -p "$root/per-boot"
    cat >"$root/per-boot/workbench" <<END
#!/bin/sh
export root='$root' BUCKET='$BUCKET' STACK='$STACK'
set -a
. "$root/environment"
set +a
cd "$root/code"
[ "$ROLE" != working ] || [ "$idle" = 0 ] ||
    setsid "$root/env/bin/python" "$here/idle.py" "$asked" "$root/home/token" "$idle" >>"$root/idle.log" 2>&1 </dev/null &
setsid sh -c 'while :; do sh "$here/serve.sh"; sleep 2; done' >>"$root/service.log" 2>&1 </dev/null &
END
    chmod +x "$root/per-boot/workbench"
    "$root/per-boot/workbench"
fi
touch "$root/booted"
