"""The bucket: nobody else's is taken for it, and what clusters need stays in it."""

import io
from pathlib import Path

import pytest

from tests.chain import make_settings
from tests.datasets import bringing
from tests.emulator import Emulator, Fault
from tests.emulator.calls import EXPECTED_OWNER
from workbench.aws import commands, names
from workbench.aws.bucket import Bucket
from workbench.aws.refusals import NotAllowed
from workbench.aws.session import Session
from workbench.datasets.sources import How
from workbench.errors import BadInput, NotFound, WorkbenchError
from workbench.machines.aws.exchange import assignments
from workbench.verbs import datasets


@pytest.fixture
def bucket(still_emulator: Emulator, tmp_path: Path) -> Bucket:
    return Bucket(Session.open(make_settings(tmp_path)))


def test_each_request_names_the_owner_whose_bucket_it_must_be(
    bucket: Bucket, still_emulator: Emulator, tmp_path: Path
) -> None:
    bucket.ensure()
    (tmp_path / "file").write_bytes(b"x" * 9_000_000)  # more than one part
    bucket.put("a", b"1")
    bucket.put("b", tmp_path / "file")
    bucket.put("c", io.BytesIO(b"3"))
    assert bucket.get("a") == b"1"
    assert bucket.has("b")
    bucket.download("b", tmp_path / "back")
    assert len(list(bucket.list())) == 3
    bucket.delete("a")
    bucket.remove()
    asked = [call for call in still_emulator.log() if call.service == "s3"]
    without = {call.action for call in asked if EXPECTED_OWNER not in call.context}
    assert len(asked) > 12
    assert without == {"CreateBucket"}, "of which there is none to expect"


def test_a_bucket_of_our_name_that_is_somebody_elses_gets_nothing(
    bucket: Bucket, still_emulator: Emulator
) -> None:
    bucket.session.s3.create_bucket(Bucket=bucket.name)
    still_emulator.give_away(bucket.name)
    with pytest.raises(NotAllowed, match="somebody else's"):
        bucket.ensure()
    with pytest.raises(WorkbenchError):
        bucket.put("code/x.zip", b"ours")


def test_a_link_can_be_opened_without_any_header(bucket: Bucket) -> None:
    bucket.ensure()
    assert "expected-bucket-owner" not in bucket.link("a")


def test_what_stands_for_months_does_not_expire_but_reports_do(bucket: Bucket) -> None:
    bucket.ensure()
    rules = bucket.session.s3.get_bucket_lifecycle_configuration(Bucket=bucket.name)["Rules"]
    expiring = [rule["Filter"]["Prefix"] for rule in rules if "Expiration" in rule]
    home = bucket.session.home

    def expires(key: str) -> bool:
        return any(key.startswith(prefix) for prefix in expiring)

    assert not expires(names.cluster_prefix(home, "lab") + assignments.FILE)
    assert not expires(names.version_key(home, "net", 1))
    assert expires(names.cluster_prefix(f"_jobs/{home}", "7") + "reports/x")
    assert expires(commands.left_in(bucket.session) + "/id/stdout")


def test_a_data_set_comes_from_a_bucket_and_says_so(bucket: Bucket, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    settings = make_settings(tmp_path)
    bucket.ensure()
    bucket.put("in/garden.csv", bringing.garden(tmp_path / "garden.csv"))
    source = f"s3://{bucket.name}/in/garden.csv"
    made = datasets.add("garden", source, How(), settings)
    assert (made.source, made.train.examples + made.test.examples) == (source, 300)
    assert datasets.add("garden", source, How(), settings).version == 1, "the same again"
    for wrong, error in (("in/nothing.csv", NotFound), ("", BadInput)):
        with pytest.raises(error):
            datasets.add("garden", f"s3://{bucket.name}/{wrong}", How(), settings)
    assert not [path for path in (settings.home / "data").rglob("*") if "garden.csv" in path.name]


def test_one_object_of_any_bucket_is_asked_for_alone_and_as_the_public_where_that_helps(
    bucket: Bucket, still_emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pyarrow")
    settings = make_settings(tmp_path)
    s3 = bucket.session.s3
    s3.create_bucket(Bucket="an-open-archive")
    s3.upload_file(
        str(bringing.garden(tmp_path / "garden.csv")),
        "an-open-archive",
        "2026/garden.csv",
        ExtraArgs={"ACL": "public-read"},
    )
    still_emulator.give_away("an-open-archive")
    source = "s3://an-open-archive/2026/garden.csv"
    still_emulator.faults([Fault("ListObjectsV2", "AccessDenied", status=403, times=None)])
    assert datasets.add("listed", source, How(), settings).source == source, "no list of the bucket is needed"

    still_emulator.faults([Fault("HeadObject", "403", status=403, times=1)])
    assert datasets.add("shared", source, How(), settings).version == 1, (
        "these credentials may not, the public may"
    )

    still_emulator.faults([Fault("HeadObject", "403", status=403, times=None)])
    with pytest.raises(
        NotAllowed, match=r"lack s3:GetObject.*not public.*aws s3 presign s3://an-open-archive/2026/g"
    ):
        datasets.add("private", source, How(), settings)

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(NotAllowed, match=r"no AWS credentials here.*not public"):
        datasets.add("private", source, How(), settings)
    still_emulator.faults([])
    assert datasets.add("public", source, How(), settings).version == 1
