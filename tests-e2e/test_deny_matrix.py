"""Every operation of the real server × who may not: the other half of `DenyMatrixTests`, over the network and both prefixes."""

from __future__ import annotations

import re

import pytest
import requests

from harness.server import NVR, PASSWORD

METHODS = ("get", "post", "put", "patch", "delete")


@pytest.fixture(scope="module")
def server():
    with NVR() as nvr:
        yield nvr.start().with_admin()


@pytest.fixture(scope="module")
def callers(server) -> dict[str, dict[str, str]]:
    """Headers of everybody that may come, by name."""
    api = server.api

    def key() -> dict[str, str]:
        return {"X-API-Key": api.post("/v1/api-tokens", json={"name": "matrix", "expires_in_days": 1}).json()["token"]}

    def deleted_key() -> dict[str, str]:
        made = api.post("/v1/api-tokens", json={"name": "deleted"}).json()
        assert api.delete(f"/v1/api-tokens/{made['id']}").status_code == 200
        return {"X-API-Key": made["token"]}

    admin = api.token
    people = {"nobody": {}, "a forged token": {"Authorization": "Bearer " + admin[:-4] + ("AAAA" if admin[-4:] != "AAAA" else "BBBB")}}
    people["admin's key"], people["a deleted key"] = key(), deleted_key()
    for name, restricted in (("viewer", False), ("restricted", True)):
        user = {"username": name, "password": PASSWORD + name, "role": "viewer", "restrict_camera_access": restricted}
        assert api.post("/users", json=user).status_code == 200
        api.login(name, PASSWORD + name)
        people[name], people[f"{name}'s key"] = {"Authorization": f"Bearer {api.token}"}, key()
        api.token = admin
    api.login("viewer", PASSWORD + "viewer")
    people["signed out"] = {"Authorization": f"Bearer {api.token}"}
    assert api.post("/auth/logout").status_code == 200
    api.token = admin
    return people


def expected(access: str, caller: str) -> int | None:
    """The refusal that a caller meets at the door of an operation; None: it is open to him."""
    if access == "anonymous":
        return None
    if access == "webhook" or caller in ("nobody", "a forged token", "a deleted key", "signed out"):
        return 401
    if caller.endswith("key"):
        return 401 if access in ("user", "admin") else None
    return 403 if access == "admin" else None


@pytest.mark.parametrize("prefix", ["", "/api"])
def test_every_operation_refuses_whom_it_should(server, callers, prefix):
    document = server.api.json("/openapi.json")
    session = requests.Session()
    session.trust_env = False
    problems, asked = [], 0
    for path, item in document["paths"].items():
        for method in METHODS:
            if method not in item:
                continue
            operation = item[method]
            for caller, headers in callers.items():
                wanted = expected(operation["x-access"], caller)
                if wanted is None:
                    continue
                asked += 1
                url = server.api.base + prefix + re.sub(r"\{[^}]*\}", "1", path)
                answer = session.request(method.upper(), url, headers=headers, timeout=120)
                if answer.status_code != wanted or set(answer.json()) != {"detail"}:
                    problems.append(f"{method.upper()} {path} as {caller}: {answer.status_code}, not {wanted}: {answer.text[:100]}")
                if wanted == 401 and answer.headers.get("WWW-Authenticate") != "Bearer":
                    problems.append(f"{method.upper()} {path} as {caller}: no WWW-Authenticate")
    assert not problems, "\n".join(problems[:30])
    assert asked > 100
    # Nothing of all this changed anything.
    assert server.api.json("/cameras") == [] and {user["username"] for user in server.api.json("/users")} == {"admin", "viewer", "restricted"}
