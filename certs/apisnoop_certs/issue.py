"""The decisions: which signer, cluster's or own authority, keep or replace; and the record of what came of it.

A certificate that pods accept is never given up for one that fewer accept: where the cluster fails to sign a renewal,
the old certificate stays as long as it is valid, and the next run tries again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from apisnoop.errors import ApisnoopError, RefusedError
from apisnoop.moments import MOMENT
from apisnoop.trust_bundle import merge_authorities
from apisnoop.trust_mode import Mode
from apisnoop_certs.acceptance import refusal
from apisnoop_certs.authority import Authority, is_lasting, make_authority, sign_leaf
from apisnoop_certs.leaf import Leaf
from apisnoop_certs.refusals import NotAllowedError, NotSignedError
from apisnoop_certs.renewal import renewal_time, why_renew
from apisnoop_certs.server_names import DEFAULT_DOMAIN, ServerNames
from apisnoop_certs.settings import LEAST, Asked, Settings
from apisnoop_certs.signing import Requests, Say, Wanted, obtain
from apisnoop_certs.verdict import Verdict

_POLICY = "ValidatingAdmissionPolicy"
"""How the API server begins when a policy forbids something."""
_LATER = frozenset({409, 429})
"""Statuses that say nothing about the request but its moment, as do 500 and above: changed meanwhile, too many."""


class Cluster(Requests, Protocol):
    """What is read and kept in the cluster."""

    def server_names(self, domain: str, extra: Sequence[str]) -> ServerNames:
        """Read the API server's names."""

    def authorities(self) -> str:
        """Read what pods trust."""

    def leaf(self) -> Leaf | None:
        """Read the certificate in use."""

    def save_leaf(self, leaf: Leaf) -> None:
        """Store a certificate."""

    def authority(self) -> Authority | None:
        """Read our own authority."""

    def save_authority(self, authority: Authority) -> None:
        """Store our own authority."""

    def verdict(self) -> Verdict | None:
        """Read the last verdict."""

    def save_verdict(self, verdict: Verdict) -> None:
        """Store a verdict."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run on one cluster."""

    cluster: Cluster
    settings: Settings
    now: datetime
    say: Say

    def issue(self) -> Verdict:
        """Get a new certificate, store it and the verdict.

        Raises ApisnoopError when there is none; the verdict then says why, and an old one that is still good is kept.
        """
        names = self.cluster.server_names(self.settings.domain, self.settings.extra_names)
        if self.settings.mode is Asked.OWN_CA:
            return self._sign_ourselves(names, "asked for: --mode own-ca")
        try:
            return self._have_signed(names)
        except NotSignedError as error:
            self._keep_the_old(names, str(error))
            return self._do_without(names, str(error))
        except NotAllowedError as error:
            self._keep_the_old(names, str(error), error.then)
            if self._signs_already:
                return self._sign_ourselves(names, str(error))
            self.cluster.save_verdict(Verdict(Mode.NONE, str(error), then=error.then))
            raise

    def renew(self) -> Verdict:
        """Get a new certificate if it is time to, else return the verdict as it stands."""
        names = self.cluster.server_names(self.settings.domain, self.settings.extra_names)
        verdict, leaf = self.cluster.verdict(), self.cluster.leaf()
        ours = [verdict.authorities] if verdict and verdict.authorities else []
        why = why_renew(leaf, merge_authorities(self.cluster.authorities(), *ours), names, self.now)
        if verdict is None or leaf is None or why:
            self.say(f"the certificate is to be renewed: {why or 'nothing is recorded about it'}")
            return self._as_before(verdict).issue()
        self.say(f"the certificate is good until {leaf.not_after:{MOMENT}}; renewal from {renewal_time(leaf):{MOMENT}}")
        return verdict

    @property
    def _signs_already(self) -> bool:
        """Whether our own authority is what pods have been given, and nobody asks for another."""
        verdict = self.cluster.verdict()
        return self.settings.mode is Asked.AUTO and verdict is not None and verdict.mode is Mode.OWN_CA

    def _as_before(self, verdict: Verdict | None) -> "Run":
        """Prefer what worked: the signer that signed last, or our authority if none did."""
        if verdict is None or self.settings.mode is not Asked.AUTO:
            return self
        if verdict.mode is Mode.OWN_CA:
            return replace(self, settings=replace(self.settings, mode=Asked.OWN_CA))
        signers = sorted(self.settings.signers, key=lambda signer: signer != verdict.signer)
        return replace(self, settings=replace(self.settings, signers=signers))

    def _have_signed(self, names: ServerNames) -> Verdict:
        """Try the signers in their order.

        Raises NotSignedError with the reasons of all.
        """
        authorities = self.cluster.authorities()
        reasons = []
        for signer in self.settings.signers:
            wanted = Wanted(self.settings.requests[0], signer, self.settings.lifetime, names, authorities)
            try:
                leaf = self._probe_and_obtain(wanted)
            except NotSignedError as error:
                self.say(str(error))
                reasons.append(str(error))
            else:
                return self._keep(leaf, Verdict(Mode.CSR, "pods accept what it signed", signer=signer), names)
        raise NotSignedError(" | ".join(reasons))

    def _probe_and_obtain(self, wanted: Wanted) -> Leaf:
        """Ask for a short-lived certificate first, and for the real one only if pods accept that."""
        # Where a human approves, one request is enough to ask for.
        if not self.settings.approval.manual:
            self.say(f"trying {wanted.signer}")
            self._obtain(replace(wanted, request=self.settings.requests[1], lifetime=LEAST))
        return self._obtain(wanted)

    def _obtain(self, wanted: Wanted) -> Leaf:
        try:
            return obtain(self.cluster, wanted, self.settings.approval, self.say)
        except RefusedError as error:
            if _POLICY in str(error):
                raise self._not_allowed(wanted.names) from None
            if error.status in _LATER or error.status >= 500:
                raise  # a bad moment says nothing about signers, and our authority would stay: the Job tries again
            raise NotSignedError(str(error)) from None

    def _not_allowed(self, names: ServerNames) -> NotAllowedError:
        """Say what the policy was not made for. It is made for the usual domain unless somebody gives another."""
        domain = self.settings.domain
        other = "" if domain == DEFAULT_DOMAIN else f" --set certificate.domain={domain}"
        what = f"the admission policy allows no certificate for {names}, which the API server is called by now"
        return NotAllowedError(what, f"kubectl apisnoop install{other}")

    def _keep_the_old(self, names: ServerNames, reason: str, then: str = "") -> None:
        """Raise ApisnoopError if there is a certificate that pods accept; the verdict tells why there is no new one.

        It may lack a name or address that the API server has got since: for the others it is still good.
        """
        kept, verdict = self.cluster.leaf(), self.cluster.verdict()
        if kept and verdict and refusal(kept, self.cluster.authorities(), names.names[:1]) is None:
            told = f"no new certificate, the old one is kept until {kept.not_after:{MOMENT}}: {reason}"
            self.cluster.save_verdict(replace(verdict, reason=told, then=then))
            raise ApisnoopError(told)

    def _do_without(self, names: ServerNames, reason: str) -> Verdict:
        """Sign ourselves if that is allowed, or give up."""
        if self.settings.mode is Asked.AUTO:
            return self._sign_ourselves(names, f"the cluster does not sign: {reason}")
        self.cluster.save_verdict(Verdict(Mode.NONE, reason))
        raise ApisnoopError(f"no certificate: {reason}; --mode own-ca makes do without the cluster's signature")

    def _sign_ourselves(self, names: ServerNames, reason: str) -> Verdict:
        """Sign with our own authority."""
        old = self.cluster.authority()
        authority, leaf = (old and self._signed_by(old, names)) or self._signed_by_a_new_one(names)
        bundle = merge_authorities(authority.certificate, *([old.certificate] if old else []))
        return self._keep(leaf, Verdict(Mode.OWN_CA, reason, signer="apisnoop", authorities=bundle), names)

    def _signed_by(self, authority: Authority, names: ServerNames) -> tuple[Authority, Leaf] | None:
        """Sign with the authority there is; None if it is about to end or may not sign for all of the names."""
        leaf = sign_leaf(authority, names, self.settings.lifetime, self.now)
        usable = is_lasting(authority, self.now) and refusal(leaf, authority.certificate, names) is None
        return (authority, leaf) if usable else None

    def _signed_by_a_new_one(self, names: ServerNames) -> tuple[Authority, Leaf]:
        authority = make_authority(names, self.now)
        leaf = sign_leaf(authority, names, self.settings.lifetime, self.now)
        self.cluster.save_authority(authority)
        self.say("made a new authority; pods older than a bundle that holds it are not intercepted until recreated")
        return authority, leaf

    def _keep(self, leaf: Leaf, verdict: Verdict, names: ServerNames) -> Verdict:
        """Store a certificate and what is to be said of it."""
        self.cluster.save_leaf(leaf)
        full = replace(verdict, not_after=leaf.not_after, renew_at=renewal_time(leaf), names=str(names))
        self.cluster.save_verdict(full)
        return full
