"""The race pages over a real socket: the list, a race, what is fetched again, the object and the file."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from assay.decisions.race.store import Races, claim_name
from assay.ledger.claim import claimed
from evaluation_site import Evaluated, evaluated, serving
from race_sample import hostile_view, race_view

DIGEST = "d1" * 32


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evaluated]:
    """A workspace in which nothing was raced; the tests race in it one after another."""
    found = evaluated(tmp_path_factory.mktemp("raced"), 6)
    with serving(found.archive) as url:
        found.url = url
        yield found
    found.archive.database.close()


async def get(site: Evaluated, path: str, *, status: int = 200) -> str:
    async with aiohttp.ClientSession() as session, session.get(site.url + path) as response:
        assert response.status == status
        policy = response.headers["content-security-policy"]
        assert policy == "sandbox" or "default-src 'none'" in policy
        assert "unsafe" not in policy
        return await response.text()


def opened(site: Evaluated, view: dict[str, Any], digest: str) -> str:
    """A race in the ledger, running."""
    races = Races(site.archive.database)
    return races.open(set_name=view["set"]["name"], digest=digest, view=view).id


async def test_where_nothing_was_raced_it_says_how(tmp_path: Path) -> None:
    found = evaluated(tmp_path, 6)
    with serving(found.archive) as url:
        found.url = url
        text = await get(found, "/races")
    found.archive.database.close()
    assert "No races yet" in text
    assert "assay race space.toml --plan" in text
    assert '<a href="/races"  aria-current="page">Races</a>' in text


async def test_a_race_is_followed_while_its_process_lives_and_interrupted_when_it_does_not(site: Evaluated) -> None:
    race_id = opened(site, race_view(rounds=3, status="running"), DIGEST)
    with claimed(site.archive.database, claim_name(DIGEST)):
        page = await get(site, f"/races/{race_id[:10]}")
        assert "RUNNING" in page
        standing = await get(site, f"/races/{race_id}/standing")
        assert standing.startswith('<div class="standing')
        assert f'data-live="/races/{race_id}/standing"' in standing
        assert "RUNNING" in await get(site, "/races")
    assert "INTERRUPTED" in await get(site, f"/races/{race_id}")
    assert "data-live" not in await get(site, f"/races/{race_id}/standing")
    assert "INTERRUPTED" in await get(site, "/races")


async def test_a_finished_race_with_its_object_and_its_file(site: Evaluated) -> None:
    view = race_view()
    race_id = opened(site, view, "d2" * 32)
    Races(site.archive.database).update(race_id, status="done", decision_id=None)
    assert "PROMOTE" in await get(site, f"/races/{race_id}")
    listed = await get(site, "/races")
    assert f'href="/races/{race_id}"' in listed
    assert "k=12 sentences=2" in listed
    file = await get(site, f"/races/{race_id}/report.html")
    assert "<script" not in file
    async with aiohttp.ClientSession() as session, session.get(f"{site.url}/races/{race_id}.json") as response:
        assert response.headers["content-type"] == "application/json"
        shape = await response.json()
    assert shape["confirmation"] == view["confirmation"]
    assert shape["arms"] == view["arms"]
    assert shape["status"] == "done"


async def test_text_from_outside_does_not_act(site: Evaluated) -> None:
    race_id = opened(site, hostile_view(), "d3" * 32)
    for path in (f"/races/{race_id}", "/races", f"/races/{race_id}/report.html"):
        text = await get(site, path)
        assert "<img" not in text
        assert "\x1b" not in text
        assert "&lt;img src=x" in text


async def test_an_unknown_race_leaves_as_a_page(site: Evaluated) -> None:
    text = await get(site, "/races/ffffffff", status=404)
    assert "There is no race ffffffff." in text
    assert '<a href="/races"  aria-current="page">Races</a>' in text
    await get(site, "/races/nonsense!", status=400)
