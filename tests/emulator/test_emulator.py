"""What the emulator does as AWS does; each test runs with both kinds of machines where the system allows both."""

import ipaddress
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ConnectionError

from tests.emulator import Emulator, Fault
from tests.emulator.asking import EVERYBODY, SERVE, Account, tcp, until
from tests.emulator.fixtures import NOTICE
from tests.emulator.network import Loopback


@pytest.fixture(params=["proc_emulator", "emulator"])
def account(request: pytest.FixtureRequest) -> Account:
    """A new account, whose machines are folders, or shut in."""
    emulator: Emulator = request.getfixturevalue(request.param)
    if request.param == "emulator" and emulator.mode != "ns":
        pytest.skip(
            f"this system does not shut machines in: {emulator.why_not_ns or 'EMULATOR_MODE says so'}"
        )
    return Account(emulator)


@pytest.fixture
def quick(proc_emulator: Emulator) -> Account:
    """A new account, where the kind of machine does not matter."""
    return Account(proc_emulator)


def refusal(call: object, **asked: object) -> str:
    with pytest.raises(ClientError) as caught:
        call(**asked)  # type: ignore[operator]
    return str(caught.value.response["Error"]["Code"])


def identity(account: Account) -> str:
    return str(account.sts.get_caller_identity()["Account"])


# ── machines ──


def test_an_instance_runs_its_user_data_once_and_its_scripts_at_each_boot(account: Account) -> None:
    script = (
        '#!/bin/sh\necho first >>boots\nprintf \'#!/bin/sh\\necho again >>"%s"\\n\' "$PWD/boots" '
        '>"$WORKBENCH_MACHINE_ROOT/per-boot/10-tell"\nchmod +x "$WORKBENCH_MACHINE_ROOT/per-boot/10-tell"\n'
    )
    [machine] = account.managed(user_data=script)
    name = machine["InstanceId"]
    assert machine["State"]["Name"] == "pending"
    until(lambda: account.do(name, "cat boots")["StandardOutputContent"] == "first\n", 20, "the user data")

    account.ec2.stop_instances(InstanceIds=[name])
    account.wait_for(name, "stopped")
    assert name not in account.online()
    account.ec2.start_instances(InstanceIds=[name])
    account.wait_online([name])

    until(lambda: account.say(name, "cat boots") == "first\nagain", 20, "the script of the second boot")


def test_a_machine_knows_who_it_is_and_what_its_pages_say_and_has_the_tests_python(account: Account) -> None:
    _, subnet = account.network()
    [machine] = account.managed(SubnetId=subnet)
    told = account.say(
        machine["InstanceId"],
        'echo "$INSTANCE_ID $PRIVATE_IP"; echo "$WORKBENCH_NOTICE"; "$WORKBENCH_MACHINE_ROOT/env/bin/python" -V',
    )
    shown = account.ec2.describe_instances()["Reservations"][0]["Instances"][0]
    version = ".".join(map(str, sys.version_info[:3]))
    assert told == f"{machine['InstanceId']} {shown['PrivateIpAddress']}\n{NOTICE}\nPython {version}"
    if account.emulator.mode == "ns":
        assert shown["PrivateIpAddress"].startswith("192.168.0.")


def test_an_address_can_be_asked_for_again_once_it_is_free(account: Account) -> None:
    _, subnet = account.network()
    [first] = account.managed(SubnetId=subnet)
    address = first["PrivateIpAddress"]
    assert refusal(account.run, SubnetId=subnet, PrivateIpAddress=address) == "InvalidIPAddress.InUse"

    account.ec2.terminate_instances(InstanceIds=[first["InstanceId"]])
    account.wait_for(first["InstanceId"], "terminated")
    [second] = account.managed(SubnetId=subnet, PrivateIpAddress=address)

    assert account.say(second["InstanceId"], "echo $PRIVATE_IP") == address


def test_shutting_down_from_inside_ends_an_instance_as_its_behaviour_says(account: Account) -> None:
    [stops] = account.managed()
    [ends] = account.managed(InstanceInitiatedShutdownBehavior="terminate")
    for machine in (stops, ends):
        account.say(machine["InstanceId"], "shutdown -h +1")  # a minute is a second here
    account.wait_for(stops["InstanceId"], "stopped")
    account.wait_for(ends["InstanceId"], "terminated")


def test_a_shutdown_that_is_called_off_does_not_happen(quick: Account) -> None:
    [machine] = quick.managed()
    quick.say(machine["InstanceId"], "shutdown -h +5; until [ -s ../state/timer ]; do :; done; shutdown -c")
    time.sleep(6)  # longer than the minutes would have been
    assert quick.state(machine["InstanceId"]) == "running"


def test_nothing_of_a_terminated_machine_goes_on(account: Account) -> None:
    [machine] = account.managed()
    mark = f"3{os.getpid()}"
    account.say(
        machine["InstanceId"],
        f"setsid env -i sleep {mark} >/dev/null 2>&1 </dev/null & setsid sleep {mark} >/dev/null 2>&1 </dev/null & ",
    )
    assert _running(f"sleep {mark}")

    account.ec2.terminate_instances(InstanceIds=[machine["InstanceId"]])
    account.wait_for(machine["InstanceId"], "terminated")

    if account.emulator.mode == "ns":
        assert not _running(f"sleep {mark}")
    else:  # a process with a clean environment that runs nothing of the machine's is out of sight
        left = _running(f"sleep {mark}")
        assert len(left) <= 1
        for pid in left:
            os.kill(pid, signal.SIGKILL)
    assert account.emulator.resources() == {"role": ["machine"], "profile": ["machine"]}


def _running(command: str) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = path.read_bytes()
        except OSError:
            continue
        if text.replace(b"\0", b" ").decode(errors="replace").strip() == command:
            found.append(int(path.parent.name))
    return found


def test_states_forbid_what_they_forbid_on_aws(quick: Account) -> None:
    [machine] = quick.managed()
    name = machine["InstanceId"]
    quick.ec2.terminate_instances(InstanceIds=[name])
    assert refusal(quick.ec2.start_instances, InstanceIds=[name]) == "IncorrectInstanceState"
    assert refusal(quick.ec2.stop_instances, InstanceIds=[name]) == "IncorrectInstanceState"
    quick.ec2.terminate_instances(InstanceIds=[name])  # twice is fine
    quick.wait_for(name, "terminated")


# ── asking for machines ──


def test_asking_twice_with_one_token_gives_the_same_machines(quick: Account) -> None:
    first = quick.run(2, ClientToken="once")
    second = quick.run(2, ClientToken="once")
    assert [i["InstanceId"] for i in first] == [i["InstanceId"] for i in second]
    assert refusal(quick.run, count=3, ClientToken="once") == "IdempotentParameterMismatch"
    assert len(quick.run(1)) == 1
    assert len(quick.emulator.instances()) == 3


def test_a_launch_template_gives_what_the_call_leaves_out(quick: Account) -> None:
    vpc, subnet = quick.network()
    group = quick.group(vpc, "cluster")
    profile = quick.profile()
    made = quick.ec2.create_launch_template(
        LaunchTemplateName="node",
        LaunchTemplateData={
            "ImageId": quick.image(),
            "InstanceType": "t3.medium",
            "IamInstanceProfile": {"Name": profile},
            "InstanceInitiatedShutdownBehavior": "terminate",
            "MetadataOptions": {"HttpTokens": "required"},
            "NetworkInterfaces": [
                {"DeviceIndex": 0, "SubnetId": subnet, "Groups": [group], "AssociatePublicIpAddress": True}
            ],
        },
    )
    template = {"LaunchTemplateId": made["LaunchTemplate"]["LaunchTemplateId"]}
    machines = quick.ec2.run_instances(LaunchTemplate=template, MinCount=2, MaxCount=2)["Instances"]
    quick.wait_online([m["InstanceId"] for m in machines])
    for machine in machines:
        assert machine["InstanceType"] == "t3.medium"
        assert machine["SubnetId"] == subnet
        assert [g["GroupId"] for g in machine["SecurityGroups"]] == [group]
        assert machine["IamInstanceProfile"]["Arn"].endswith("/machine")
        assert machine["MetadataOptions"]["HttpTokens"] == "required"
        assert machine["PublicIpAddress"]
    both = refusal(quick.ec2.run_instances, LaunchTemplate=template, MinCount=1, MaxCount=1, SubnetId=subnet)
    assert both == "InvalidParameterCombination"


def test_quotas_wrong_types_and_dry_runs_are_told_as_on_aws(quick: Account) -> None:
    quick.emulator.quota(5)
    code = quick.quotas.get_service_quota(ServiceCode="ec2", QuotaCode="L-1216C47A")["Quota"]["Value"]
    assert code == 5
    assert refusal(quick.run, InstanceType="m5.4xlarge") == "VcpuLimitExceeded"
    assert refusal(quick.run, InstanceType="no.such") == "InvalidParameterValue"
    assert refusal(quick.run, DryRun=True) == "DryRunOperation"
    assert quick.emulator.resources() == {}


def test_only_five_elastic_addresses_are_given(quick: Account) -> None:
    for _ in range(5):
        quick.ec2.allocate_address(Domain="vpc")
    assert refusal(quick.ec2.allocate_address, Domain="vpc") == "AddressLimitExceeded"


def test_a_spot_machine_is_told_before_it_is_taken_back(account: Account) -> None:
    [machine] = account.managed(InstanceMarketOptions={"MarketType": "spot"})
    name = machine["InstanceId"]
    ask = (
        'base="${AWS_EC2_METADATA_SERVICE_ENDPOINT:-http://169.254.169.254/}"; '
        'token=$(curl -s -X PUT -H "X-aws-ec2-metadata-token-ttl-seconds: 60" "${base}latest/api/token"); '
        'curl -s -H "X-aws-ec2-metadata-token: $token" "${base}latest/meta-data/spot/instance-action"'
    )
    account.emulator.interrupt(name, notice_s=30)
    until(
        lambda: '"action": "terminate"' in str(account.do(name, ask)["StandardOutputContent"]),
        5,
        "the notice",
    )
    account.wait_for(name, "terminated")
    shown = account.ec2.describe_instances(InstanceIds=[name])["Reservations"][0]["Instances"][0]
    assert shown["StateReason"]["Code"] == "Server.SpotInstanceTermination"
    assert shown["InstanceLifecycle"] == "spot"


# ── Run Command ──


def test_a_command_runs_and_tells_its_output_and_its_exit_code(account: Account) -> None:
    [machine] = account.managed()
    account.s3.create_bucket(Bucket="outputs")
    name = machine["InstanceId"]
    script = "printf '%30000s' | tr ' ' x; echo wrong >&2; exit 3"
    result = account.do(name, script, OutputS3BucketName="outputs", OutputS3KeyPrefix="log")
    assert (result["Status"], result["ResponseCode"]) == ("Failed", 3)
    assert result["StandardOutputContent"] == "x" * 24000
    assert result["StandardErrorContent"] == "wrong\n"
    key = f"log/{result['CommandId']}/{name}/awsrunShellScript/0.awsrunShellScript/stdout"
    assert account.s3.get_object(Bucket="outputs", Key=key)["Body"].read() == b"x" * 30000


def test_a_command_ends_at_its_time_out_and_by_cancel(account: Account) -> None:
    [machine] = account.managed()
    name = machine["InstanceId"]
    late = account.do(name, "echo begun; sleep 100", executionTimeout=8)
    assert (late["Status"], late["StandardOutputContent"]) == ("TimedOut", "begun\n")

    command = account.send([name], "sleep 100")
    until(
        lambda: account.ssm.list_commands(CommandId=command)["Commands"][0]["Status"] == "InProgress",
        60,
        "begun",
    )
    account.ssm.cancel_command(CommandId=command)
    assert account.results(command)[name]["Status"] == "Cancelled"


def test_a_command_fails_where_its_machine_is_switched_off(account: Account) -> None:
    [machine] = account.managed()
    command = account.send([machine["InstanceId"]], "sleep 100")
    account.ec2.stop_instances(InstanceIds=[machine["InstanceId"]])
    assert account.results(command)[machine["InstanceId"]]["Status"] == "Failed"
    assert refusal(account.send, ids=[machine["InstanceId"]], script="true") == "InvalidInstanceId"


def test_a_command_is_for_those_it_names_or_whose_tags_it_names(quick: Account) -> None:
    tagged = {"ResourceType": "instance", "Tags": [{"Key": "role", "Value": "ps"}]}
    one, two = quick.managed(2, TagSpecifications=[tagged])
    [other] = quick.managed()
    by_tag = quick.results(quick.send([], "echo here", targets=[{"Key": "tag:role", "Values": ["ps"]}]))
    assert set(by_tag) == {one["InstanceId"], two["InstanceId"]}
    assert set(quick.results(quick.send([other["InstanceId"]], "true"))) == {other["InstanceId"]}
    many = [f"i-{n:017x}" for n in range(51)]
    assert refusal(quick.send, ids=many, script="true") == "ValidationException"
    assert refusal(quick.send, ids=["i-00000000000000000"], script="true") == "InvalidInstanceId"


def test_a_machine_without_a_role_takes_no_commands(quick: Account) -> None:
    [machine] = quick.run()
    quick.wait_for(machine["InstanceId"], "running")
    assert quick.online() == set()


# ── addresses and groups ──


def test_an_elastic_address_reaches_its_machine_and_stays_over_a_stop(account: Account) -> None:
    port = 8080
    vpc, subnet = account.network()
    group = account.group(vpc, "front", tcp(port, **EVERYBODY))
    [machine] = account.managed(SubnetId=subnet, SecurityGroupIds=[group])
    name = machine["InstanceId"]
    address = account.ec2.allocate_address(Domain="vpc")
    account.ec2.associate_address(AllocationId=address["AllocationId"], InstanceId=name)

    def answers() -> bool:
        try:
            with urllib.request.urlopen(f"http://{address['PublicIp']}:{port}/", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    account.say(name, SERVE % port)
    until(answers, 20, "an answer from outside")
    account.ec2.stop_instances(InstanceIds=[name])
    account.wait_for(name, "stopped")
    assert not answers()
    account.ec2.start_instances(InstanceIds=[name])
    account.wait_online([name])
    account.say(name, SERVE % port)
    until(answers, 20, "an answer after the second start")
    account.ec2.release_address(AllocationId=address["AllocationId"])
    assert not answers()


def test_groups_let_in_whom_they_name_and_nobody_else(emulator: Emulator) -> None:
    if not emulator.enforces_groups:
        pytest.skip("groups are enforced in ns mode with nft only")
    account = Account(emulator)
    vpc, subnet = account.network()
    front = account.group(vpc, "front")
    back = account.group(vpc, "back", tcp(5000, UserIdGroupPairs=[{"GroupId": front}]))
    [serving] = account.managed(SubnetId=subnet, SecurityGroupIds=[back])
    [friend] = account.managed(SubnetId=subnet, SecurityGroupIds=[front])
    [stranger] = account.managed(SubnetId=subnet, SecurityGroupIds=[account.group(vpc, "other")])
    address = serving["PrivateIpAddress"]
    account.say(serving["InstanceId"], SERVE % 5000)
    ask = f"curl -s -o /dev/null -m 2 http://{address}:5000/"
    until(
        lambda: account.do(friend["InstanceId"], ask)["Status"] == "Success", 20, "an answer to the front end"
    )
    assert account.do(stranger["InstanceId"], ask)["Status"] == "Failed"
    with pytest.raises(OSError, match=r"."):  # some systems connect to anything, so an answer is waited for
        urllib.request.urlopen(f"http://{address}:5000/", timeout=2).read()

    rule = tcp(5000, UserIdGroupPairs=[{"GroupId": front}])
    account.ec2.revoke_security_group_ingress(GroupId=back, IpPermissions=[rule])
    assert account.do(friend["InstanceId"], ask)["Status"] == "Failed"


def test_what_is_in_use_is_not_deleted(quick: Account) -> None:
    vpc, subnet = quick.network()
    group = quick.group(vpc, "used")
    [machine] = quick.run(SubnetId=subnet, SecurityGroupIds=[group])
    assert refusal(quick.ec2.delete_security_group, GroupId=group) == "DependencyViolation"
    assert refusal(quick.ec2.delete_subnet, SubnetId=subnet) == "DependencyViolation"
    assert refusal(quick.ec2.delete_vpc, VpcId=vpc) == "DependencyViolation"
    quick.ec2.terminate_instances(InstanceIds=[machine["InstanceId"]])
    quick.wait_for(machine["InstanceId"], "terminated")
    quick.ec2.delete_security_group(GroupId=group)
    quick.ec2.delete_subnet(SubnetId=subnet)
    quick.ec2.delete_vpc(VpcId=vpc)
    assert quick.emulator.resources() == {}


# ── credentials ──


def test_a_machine_has_its_roles_rights_and_no_others(account: Account) -> None:
    account.s3.create_bucket(Bucket="models")
    account.profile(
        '{"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::models/job/*"}',
        '{"Effect": "Allow", "Action": ["ec2:DescribeTags"], "Resource": "*"}',
    )
    [machine] = account.managed(MetadataOptions={"HttpTokens": "required"})
    program = """
import boto3, botocore.exceptions, urllib.request, os
base = os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://169.254.169.254/")
try: urllib.request.urlopen(base + "latest/meta-data/instance-id")
except urllib.error.HTTPError as error: print("without a token", error.code)
s3 = boto3.client("s3", region_name="us-east-1")
s3.put_object(Bucket="models", Key="job/a", Body=b"1")
for call in (lambda: s3.put_object(Bucket="models", Key="other", Body=b"1"),
             lambda: boto3.client("ec2", region_name="us-east-1").terminate_instances(InstanceIds=["i-1"])):
    try: call()
    except botocore.exceptions.ClientError as error: print(error.response["Error"]["Code"])
"""
    told = account.say(
        machine["InstanceId"], f'cat >p.py <<"E"\n{program}\nE\n"$WORKBENCH_MACHINE_ROOT/env/bin/python" p.py'
    )
    assert told.splitlines() == ["without a token 401", "AccessDenied", "UnauthorizedOperation"]
    assert account.emulator.calls("machines") == {"PutObject": 2, "TerminateInstances": 1}
    assert "PutObject" not in account.emulator.calls()


def test_a_denial_in_a_role_outweighs_what_allows_and_tags_part_instances(account: Account) -> None:
    for name in ("/team/token", "/team/open"):
        account.ssm.put_parameter(Name=name, Value="x", Type="SecureString")
    ours, other = "arn:aws:ssm:*:*:parameter/team/token", "arn:aws:ec2:*:*:instance/*"
    account.profile(
        '{"Effect": "Allow", "Action": "ssm:*", "Resource": "*"}',
        f'{{"Effect": "Deny", "Action": ["ssm:GetParameter", "ssm:GetParameters"], "Resource": "{ours}"}}',
        f'{{"Effect": "Allow", "Action": "ec2:*", "Resource": "{other}", '
        '"Condition": {"StringLike": {"ec2:ResourceTag/cluster": "*"}}}',
    )
    [machine] = account.managed()
    tags = [{"Key": "cluster", "Value": "lab"}]
    [lab] = account.run(TagSpecifications=[{"ResourceType": "instance", "Tags": tags}])
    [stranger] = account.run()
    program = f"""
import boto3, botocore.exceptions
ssm, ec2 = (boto3.client(name, region_name="us-east-1") for name in ("ssm", "ec2"))
for call in (lambda: ssm.get_parameter(Name="/team/open"),
             lambda: ssm.get_parameter(Name="/team/token"),
             lambda: ssm.get_parameters(Names=["/team/open", "/team/token"]),
             lambda: ec2.terminate_instances(InstanceIds=["{lab["InstanceId"]}"]),
             lambda: ec2.terminate_instances(InstanceIds=["{stranger["InstanceId"]}"])):
    try: call(); print("done")
    except botocore.exceptions.ClientError as error: print(error.response["Error"]["Code"])
"""
    told = account.say(
        machine["InstanceId"], f'cat >p.py <<"E"\n{program}\nE\n"$WORKBENCH_MACHINE_ROOT/env/bin/python" p.py'
    )
    refused = "AccessDeniedException"
    assert told.splitlines() == ["done", refused, refused, "done", "UnauthorizedOperation"]


def test_public_addresses_do_not_run_out_in_a_long_run() -> None:
    network = Loopback()
    try:
        given = [network.new_public() for _ in range(2000)]
    finally:
        network.close()
    assert len({ipaddress.IPv4Address(address) for address in given}) == 2000


def test_wrong_keys_open_nothing(quick: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    import boto3

    other = boto3.client(
        "ec2",
        endpoint_url=quick.emulator.url,
        region_name="us-east-1",
        aws_access_key_id="AKIAOTHER00000000000",
        aws_secret_access_key="x",
    )
    assert refusal(other.describe_instances) == "AuthFailure"
    assert refusal(quick.s3.get_object, Bucket="none", Key="none") == "NoSuchBucket"
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"{quick.emulator.url}/none/none")


def test_a_presigned_link_opens_until_it_expires(quick: Account) -> None:
    quick.s3.create_bucket(Bucket="models")
    quick.s3.put_object(Bucket="models", Key="one", Body=b"content")
    link, late = (
        quick.s3.generate_presigned_url("get_object", Params={"Bucket": "models", "Key": "one"}, ExpiresIn=s)
        for s in (60, 1)
    )
    assert urllib.request.urlopen(link).read() == b"content"
    time.sleep(2.1)  # its second is over
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(late)


# ── faults ──


def test_a_fault_hits_as_often_as_it_should(quick: Account) -> None:
    quick.emulator.faults([Fault("ec2:DescribeVpcs", "RequestLimitExceeded", times=2, skip=1)])
    outcomes = []
    for _ in range(4):
        try:
            quick.ec2.describe_vpcs()
            outcomes.append("")
        except ClientError as error:
            outcomes.append(error.response["Error"]["Code"])
    assert outcomes == ["", "RequestLimitExceeded", "RequestLimitExceeded", ""]
    assert [c.error for c in quick.emulator.log()] == outcomes


@pytest.mark.parametrize(
    ("action", "code"),
    [
        ("ec2:DescribeVpcs", "UnauthorizedOperation"),
        ("s3:ListBuckets", "AccessDenied"),
        ("ssm:DescribeInstanceInformation", "AccessDeniedException"),
        ("cloudformation:DescribeStacks", "AccessDenied"),
        ("iam:ListRoles", "AccessDenied"),
        ("sts:GetCallerIdentity", "AccessDenied"),
    ],
)
def test_what_is_denied_is_denied_in_each_services_words(quick: Account, action: str, code: str) -> None:
    service, _, name = action.partition(":")
    snake = "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")
    quick.emulator.faults([Fault.denied(action)])
    with pytest.raises(ClientError, match=f"not authorized to perform: {action}") as caught:
        getattr(getattr(quick, service), snake)()
    assert caught.value.response["Error"]["Code"] == code


def test_a_cut_connection_leaves_the_effect(quick: Account) -> None:
    quick.emulator.faults([Fault("RunInstances", cut=True, after_effect=True), Fault("CreateVpc", cut=True)])
    with pytest.raises((ConnectionClosedError, ConnectionError)):
        quick.run()
    with pytest.raises((ConnectionClosedError, ConnectionError)):
        quick.ec2.create_vpc(CidrBlock="10.0.0.0/16")
    assert set(quick.emulator.resources()) == {"instance", "interface", "volume"}


def test_an_error_after_the_effect_leaves_the_effect_too(quick: Account) -> None:
    quick.emulator.faults([Fault("CreateVpc", "InternalError", status=500, after_effect=True)])
    assert refusal(quick.ec2.create_vpc, CidrBlock="10.0.0.0/16") == "InternalError"
    assert set(quick.emulator.resources()) >= {"vpc"}


def test_a_fault_kills_the_process_that_called_once_it_has_its_effect(account: Account) -> None:
    account.emulator.faults([Fault("CreateBucket", kill=True)])
    program = "import boto3; boto3.client('s3').create_bucket(Bucket='made'); print('alive')"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | account.emulator.environ,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, "")
    assert account.emulator.resources() == {"bucket": ["made"]}


# ── the process ──


def test_a_new_account_has_nothing(account: Account) -> None:
    _, subnet = account.network()
    account.s3.create_bucket(Bucket="one")
    account.managed(SubnetId=subnet)
    account.emulator.reset()
    assert account.emulator.resources() == {}
    assert account.emulator.instances() == {}
    assert account.emulator.calls() == {}
    assert account.image().startswith("ami-")


def test_machines_as_states_only_are_listed_in_thousands(still_emulator: Emulator) -> None:
    account = Account(still_emulator)
    still_emulator.quota(4000)
    account.profile()
    account.run(1000, IamInstanceProfile={"Name": "machine"})
    pages = account.ec2.get_paginator("describe_instances").paginate()
    states = [i["State"]["Name"] for page in pages for r in page["Reservations"] for i in r["Instances"]]
    assert states == ["running"] * 1000
    assert len(account.online()) == 1000


def test_an_emulator_ends_with_whoever_started_it(tmp_path: Path) -> None:
    program = (
        "import pathlib, sys\nfrom tests.emulator import Emulator\nfrom tests.emulator.asking import Account\n"
        f"emulator = Emulator(pathlib.Path({str(tmp_path / 'emulator')!r}))\nemulator.start()\n"
        "Account(emulator).managed()\nprint(emulator._process.pid, *[i['pid'] for i in emulator.instances().values()], flush=True)\n"
        "sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        pids = [int(word) for word in owner.stdout.readline().split()]
        assert len(pids) == 2
        owner.kill()
        owner.wait()
        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), 30, "the end of the emulator")
