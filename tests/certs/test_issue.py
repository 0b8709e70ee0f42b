"""The decisions of a run, with a cluster that does as the test says."""

import base64
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from apisnoop.errors import ApisnoopError, RefusedError
from apisnoop.trust_mode import Mode
from apisnoop_certs.authority import Authority, make_authority
from apisnoop_certs.issue import Run
from apisnoop_certs.leaf import Leaf
from apisnoop_certs.outcome import Outcome, State
from apisnoop_certs.server_names import ServerNames
from apisnoop_certs.settings import Asked, Settings
from apisnoop_certs.signing_request import alternative_names
from apisnoop_certs.verdict import Verdict
from tests.certs.made import AUTHORITY, NAMES, NOW, STRANGER, WEEK, leaf_for


@dataclass
class Fake:
    """A cluster whose pods trust AUTHORITY, and whose signers sign with what `signers` says."""

    signers: dict[str, Authority | Outcome | BaseException] = field(default_factory=lambda: {"one": AUTHORITY})
    trusted: str = AUTHORITY.certificate
    kept: Leaf | None = None
    ours: Authority | None = None
    told: Verdict | None = None
    there: dict[str, dict] = field(default_factory=dict)
    asked: list[tuple[str, str, int]] = field(default_factory=list)
    approved: list[str] = field(default_factory=list)

    def server_names(self, _domain, _extra):
        return NAMES

    def authorities(self):
        return self.trusted

    def leaf(self):
        return self.kept

    def save_leaf(self, leaf):
        self.kept = leaf

    def authority(self):
        return self.ours

    def save_authority(self, authority):
        self.ours = authority

    def verdict(self):
        return self.told

    def save_verdict(self, verdict):
        self.told = verdict

    def create_request(self, request):
        spec = request["spec"]
        self.asked.append((request["metadata"]["name"], spec["signerName"], spec["expirationSeconds"]))
        self.there[request["metadata"]["name"]] = spec

    def approve_request(self, name):
        self.approved.append(name)

    def await_request(self, name, _seconds):
        spec = self.there[name]
        answer = self.signers[spec["signerName"]]
        if isinstance(answer, BaseException):
            raise answer
        return answer if isinstance(answer, Outcome) else Outcome(State.ISSUED, chain=signed(spec, answer))

    def delete_request(self, name):
        return self.there.pop(name, None) is not None


def signed(spec, authority):
    """Sign what was requested, from this moment on: a signer has a clock of its own, and so has who checks."""
    asked = x509.load_pem_x509_csr(base64.b64decode(spec["request"]))
    ca = x509.load_pem_x509_certificate(authority.certificate.encode())
    now = datetime.now(UTC).replace(microsecond=0)
    end = now + timedelta(seconds=spec["expirationSeconds"])
    certificate = (
        x509.CertificateBuilder(ca.subject, asked.subject, asked.public_key(), 5, now - timedelta(minutes=5), end)
        .add_extension(alternative_names(NAMES), critical=False)
        .sign(serialization.load_pem_private_key(authority.key.encode(), None), hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def run_on(cluster, now=NOW, said=None, **settings):
    settings = {"signers": tuple(cluster.signers), "request": "r", **settings}
    return Run(cluster, Settings(**settings), now, (said if said is not None else []).append)


def test_a_probe_of_ten_minutes_comes_first():
    """Then the real one; both approved, none left."""
    cluster = Fake()
    run_on(cluster).issue()
    assert cluster.asked == [("r-probe", "one", 600), ("r", "one", 604_800)]
    assert cluster.approved == ["r-probe", "r"]
    assert cluster.there == {}


def test_the_verdict_holds_the_certificates_own_end():
    """And when it is renewed, and for which names."""
    cluster = Fake()
    verdict = run_on(cluster).issue()
    assert cluster.told == verdict
    assert (verdict.mode, verdict.signer, verdict.names) == (Mode.CSR, "one", str(NAMES))
    assert verdict.not_after == cluster.kept.not_after >= NOW + WEEK
    assert verdict.authorities == ""


def test_signers_are_tried_in_order_until_pods_accept_one():
    """A foreign authority's probe is enough to go on to the next."""
    said = []
    cluster = Fake({"foreign": STRANGER, "none": Outcome(State.APPROVED), "good": AUTHORITY})
    assert run_on(cluster, said=said).issue().signer == "good"
    assert [(name, signer) for name, signer, _ in cluster.asked] == [
        ("r-probe", "foreign"),
        ("r-probe", "none"),
        ("r-probe", "good"),
        ("r", "good"),
    ]
    assert "pods do not accept it: kubernetes: certificate signature failure" in said[1]


def test_a_human_is_asked_once_and_nothing_is_approved():
    """No probe; the command is said."""
    said = []
    cluster = Fake()
    run_on(cluster, said=said, manual=True, wait=timedelta(minutes=5)).issue()
    assert [name for name, _, _ in cluster.asked] == ["r"]
    assert cluster.approved == []
    assert said == ["approve the request within 300 s: kubectl certificate approve r"]


def test_auto_falls_back_to_our_authority_and_says_why():
    """All signers' reasons are in the verdict."""
    cluster = Fake({"one": Outcome(State.DENIED, "No"), "two": Outcome(State.APPROVED)})
    verdict = run_on(cluster).issue()
    assert verdict.mode is Mode.OWN_CA
    assert "was denied: No" in verdict.reason
    assert "two has no signer here" in verdict.reason
    assert cluster.ours is not None
    assert verdict.authorities == cluster.ours.certificate


def test_csr_does_not_fall_back():
    """Who asks for it gets it or an error; the verdict says there is none."""
    cluster = Fake({"one": Outcome(State.DENIED, "No")})
    with pytest.raises(ApisnoopError, match=r"no certificate: .*--mode own-ca"):
        run_on(cluster, mode=Asked.CSR).issue()
    assert cluster.told.mode is Mode.NONE
    assert (cluster.kept, cluster.ours) == (None, None)


def test_own_ca_asks_no_signer():
    """It needs no right to."""
    cluster = Fake()
    assert run_on(cluster, mode=Asked.OWN_CA).issue().mode is Mode.OWN_CA
    assert cluster.asked == []


def test_a_refusal_of_the_api_server_counts_as_not_signed():
    """A missing right must not keep auto from its fallback, and must be in the verdict."""
    cluster = Fake({"one": RefusedError("create", 403, "forbidden")})
    assert "forbidden" in run_on(cluster).issue().reason
    assert cluster.there == {}


@pytest.mark.parametrize("status", [409, 429, 500, 503])
def test_a_bad_moment_of_the_api_server_is_no_reason_for_our_own_authority(status):
    """It would stay, and with it all pods that have no bundle would be left out: the Job tries again."""
    cluster = Fake({"one": RefusedError("create", status, "etcd is busy"), "two": AUTHORITY})
    with pytest.raises(RefusedError, match="etcd is busy"):
        run_on(cluster).issue()
    assert (cluster.told, cluster.kept, cluster.ours) == (None, None, None)
    assert cluster.there == {}


FORBIDDEN = RefusedError("create csr r", 422, "ValidatingAdmissionPolicy 'p' with binding 'p' denied request: no")


def test_what_the_policy_forbids_is_a_state_of_its_own():
    """No other signer, no authority of ours: the verdict names what was asked for and the administrator's command."""
    cluster = Fake({"one": FORBIDDEN, "two": AUTHORITY})
    with pytest.raises(ApisnoopError, match="the admission policy allows no certificate for kubernetes, "):
        run_on(cluster).issue()
    assert [signer for _, signer, _ in cluster.asked] == ["one"]
    assert (cluster.told.mode, cluster.told.then) == (Mode.NONE, "kubectl apisnoop install")
    assert "fd00::1" in cluster.told.reason
    assert (cluster.kept, cluster.ours) == (None, None)


def test_a_domain_that_the_policy_cannot_guess_is_part_of_the_command():
    """The chart makes the policy for cluster.local unless it is told another."""
    cluster = Fake({"one": FORBIDDEN})
    with pytest.raises(ApisnoopError, match=r"--set certificate\.domain=corp\.example$"):
        run_on(cluster, domain="corp.example").issue()


def test_when_the_policy_has_become_too_old_the_certificate_is_kept():
    """It lacks the API server's new address, and is still good for the others; later nothing needs mending."""
    cluster = Fake(kept=leaf_for(ServerNames(NAMES.names, NAMES.addresses[:1])), told=Verdict(Mode.CSR, "", "one"))
    cluster.signers = {"one": FORBIDDEN}
    kept = cluster.kept
    with pytest.raises(ApisnoopError, match=r"the old one is kept until .*: kubectl apisnoop install$"):
        run_on(cluster).renew()
    assert cluster.kept is kept
    assert (cluster.told.mode, cluster.told.then) == (Mode.CSR, "kubectl apisnoop install")
    cluster.signers = {"one": AUTHORITY}
    assert run_on(cluster).renew().then == ""


def test_our_own_authority_goes_on_when_the_policy_forbids_the_other():
    """Pods that have its bundle do not lose it to a change elsewhere."""
    cluster = Fake({"one": FORBIDDEN})
    run_on(cluster, mode=Asked.OWN_CA).issue()
    assert run_on(cluster).issue().mode is Mode.OWN_CA
    assert "the admission policy allows no certificate" in cluster.told.reason


@pytest.mark.parametrize("mode", [Asked.AUTO, Asked.CSR])
def test_a_good_certificate_is_kept_when_no_signer_will(mode):
    """Until it ends; the verdict tells, and what signed it is remembered."""
    cluster = Fake()
    first = run_on(cluster).issue()
    kept = cluster.kept
    cluster.signers = {"one": Outcome(State.APPROVED)}
    with pytest.raises(ApisnoopError, match="no new certificate, the old one is kept until"):
        run_on(cluster, mode=mode).issue()
    assert cluster.kept is kept
    assert (cluster.told.mode, cluster.told.signer) == (first.mode, first.signer)
    assert "is kept until" in cluster.told.reason


def test_one_that_has_ended_is_not_kept():
    """Then our own authority is better than nothing."""
    cluster = Fake({"one": Outcome(State.APPROVED)}, kept=leaf_for(now=NOW - 2 * WEEK), told=Verdict(Mode.CSR, ""))
    assert run_on(cluster).issue().mode is Mode.OWN_CA


def test_renewal_does_nothing_before_it_is_due():
    """And says when it will."""
    said = []
    cluster = Fake()
    first = run_on(cluster).issue()
    asked = list(cluster.asked)
    assert run_on(cluster, said=said).renew() == first
    assert cluster.asked == asked
    assert said[0].startswith(f"the certificate is good until {first.not_after:%Y-%m-%d}")


def test_renewal_asks_the_signer_that_signed_last_first():
    """The others are asked only when that one no longer will."""
    cluster = Fake({"one": Outcome(State.APPROVED), "two": AUTHORITY})
    run_on(cluster).issue()
    cluster.asked.clear()
    run_on(cluster, now=NOW + timedelta(days=5)).renew()
    assert [signer for _, signer, _ in cluster.asked] == ["two", "two"]


def test_renewal_stays_with_our_authority():
    """A change of mode would lose the pods that trust only the one."""
    cluster = Fake()
    run_on(cluster, mode=Asked.OWN_CA, now=NOW - timedelta(days=5)).issue()
    authority, leaf = cluster.ours, cluster.kept
    assert run_on(cluster).renew().mode is Mode.OWN_CA
    assert cluster.ours is authority
    assert cluster.kept is not leaf
    assert cluster.asked == []


def test_a_new_authority_is_published_beside_the_old_one():
    """Pods that have the old bundle go on until they are created anew."""
    old = make_authority(NAMES, NOW - timedelta(days=3400))
    cluster = Fake(ours=old)
    verdict = run_on(cluster, mode=Asked.OWN_CA).issue()
    assert cluster.ours.certificate != old.certificate
    assert verdict.authorities == cluster.ours.certificate + old.certificate


def test_an_interrupted_run_leaves_no_request():
    """Whatever ends it."""
    cluster = Fake({"one": KeyboardInterrupt()})
    with pytest.raises(KeyboardInterrupt):
        run_on(cluster).issue()
    assert cluster.there == {}


def test_a_request_that_cannot_be_deleted_is_named():
    """With the command, and without hiding what went wrong before."""
    said = []
    cluster = Fake({"one": Outcome(State.DENIED, "No")})

    def fail(name):
        raise ApisnoopError("no answer")

    cluster.delete_request = fail
    with pytest.raises(ApisnoopError, match="was denied"):
        run_on(cluster, said=said, mode=Asked.CSR).issue()
    assert "no answer; delete the request yourself: kubectl delete csr r-probe" in said
