"""The least roles of a recording."""

from apisnoop.coverage.access import Subject, access_of
from apisnoop.coverage.roles import Role, Rule
from apisnoop.store.window import Window
from tests.coverage.recording import ALICE, NINE, WEB, Called, recorded


def test_each_service_account_gets_its_own_roles(catalogue):
    """Users that are no service accounts are left out and named."""
    with recorded(catalogue=catalogue) as store:
        report = access_of(store)
    assert [access.subject for access in report.subjects] == [Subject("ServiceAccount", "shop", "web")]
    assert report.left_out == ("admin", "alice")


def test_users_are_taken_in_on_request(catalogue):
    """With `users` everybody with a name gets roles."""
    with recorded(catalogue=catalogue) as store:
        report = access_of(store, users=True)
    assert [access.subject.name for access in report.subjects] == ["web", "admin", "alice"]
    assert report.left_out == ()


def test_only_the_service_accounts_asked_for_are_there(catalogue):
    """Others are neither written nor said to be left out."""
    with recorded(catalogue=catalogue) as store:
        assert access_of(store, only=["shop/other"]).subjects == ()
        assert len(access_of(store, only=["shop/web"]).subjects) == 1


def test_discovery_is_left_out_unless_asked_for(catalogue):
    """What everybody may do anyway needs no rule; it is said, and written on request."""
    calls = [Called(WEB, "GET", "/version"), Called(WEB, "GET", "/apis/apps/v1")]
    with recorded(calls, catalogue=catalogue) as store:
        (without,) = access_of(store).subjects
        (access,) = access_of(store, defaults=True).subjects
    assert without.roles == ()
    assert "default roles" in without.notes[0]
    paths = ("/apis/apps/v1", "/apis/apps/v1/", "/version", "/version/")
    assert access.roles == (Role("", (Rule("", (), ("get",), (), paths),)),)


def test_a_window_needs_less(catalogue):
    """Only calls of the hours asked for need rights."""
    calls = [Called(WEB, "GET", "/api/v1/pods"), Called(WEB, "GET", "/api/v1/nodes", after=7200)]
    with recorded(calls, catalogue=catalogue) as store:
        (access,) = access_of(store, window=Window.of(NINE, NINE + 3600), resource_names=True).subjects
    assert access.roles == (Role("", (Rule("", ("pods",), ("list",)),)),)


def test_rights_that_no_request_shows_are_warned_of(catalogue):
    """Writing roles and bindings is checked against more than the verb; a recording cannot tell what."""
    url = "/apis/rbac.authorization.k8s.io/v1/namespaces/shop/rolebindings"
    with recorded([Called(WEB, "POST", url, 201)], catalogue=catalogue) as store:
        (access,) = access_of(store).subjects
    assert any("bind" in note for note in access.notes)


def test_an_empty_store_gives_no_roles_and_says_it_is_empty(catalogue):
    """No roles because nothing was recorded is told from no roles because nothing was needed."""
    with (
        recorded([], catalogue=catalogue) as empty,
        recorded([Called(ALICE, "GET", "/livez")], catalogue=catalogue) as quiet,
    ):
        assert access_of(empty).provenance.is_empty
        assert not access_of(quiet).provenance.is_empty
        assert access_of(empty).subjects == access_of(quiet).subjects == ()
