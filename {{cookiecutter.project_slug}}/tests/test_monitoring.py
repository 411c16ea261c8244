"""Machines that watch the service find it alive."""


def test_a_live_service_says_so(client):
    response = client.get("/healthz")
    assert (response.status_code, response.json) == (200, {"status": "alive"})
