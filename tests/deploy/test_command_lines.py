"""Every `sipswarm …` that a file of deploy/ or a page starts is understood by the command line as it is."""

import re
import shlex
from collections.abc import Iterator

import click
import pytest

from sipswarm.actors.cli.answer import answer
from sipswarm.actors.cli.load import load
from sipswarm.actors.cli.probe.verb import probe

from .queries import DEPLOY, ROOT

VERBS: dict[str, click.Command] = {"answer": answer, "load": load, "probe": probe}


def of_compose() -> Iterator[list[str]]:
    text = (DEPLOY / "compose.yaml").read_text()
    for block in re.findall(r"^    command:\n((?:      [-#].*\n)+)", text, re.MULTILINE):
        words = re.findall(r"^ +- (.+)$", block, re.MULTILINE)
        if words[0] in VERBS:
            yield words


def of_kubernetes() -> Iterator[list[str]]:
    values = re.findall(r"^  ([A-Z]+): '?([^'\n]+)'?$", (DEPLOY / "kubernetes" / "configmap.yaml").read_text(), re.M)
    text = (DEPLOY / "kubernetes" / "job.yaml").read_text()
    script = re.search(r"exec sipswarm (.*?[^\\])\n", text, re.DOTALL)
    assert script is not None
    line = script[1].replace("\\\n", " ").replace("$((JOB_COMPLETION_INDEX + 1))", "1")
    for name, value in [*values, ("POD_IP", "10.0.0.1")]:
        line = line.replace(f"${name}", value)
    assert "$" not in line
    yield shlex.split(line)


def of_systemd() -> Iterator[list[str]]:
    text = (DEPLOY / "systemd" / "sipswarm@.service").read_text() + (ROOT / "docs" / "deploying.md").read_text()
    for line in re.findall(r"SIPSWARM_COMMAND=([^'\n]+)", text):
        yield shlex.split(line)


def of_containers() -> Iterator[list[str]]:
    text = (ROOT / "docs" / "deploying.md").read_text().replace("\\\n", " ")
    for line in re.findall(r"^docker run .* sipswarm (.+)$", text, re.MULTILINE):
        yield shlex.split(line)


def of_readme() -> Iterator[list[str]]:
    text = (ROOT / "README.md").read_text()
    for line in re.findall(r"(?:^|`)sipswarm (\w+ [^`\n]+)", text, re.MULTILINE):
        yield shlex.split(line)


PLACES = (of_compose, of_kubernetes, of_systemd, of_containers, of_readme)
FOUND = [(place.__name__, words) for place in PLACES for words in place()]


def test_commands_are_found_in_every_place() -> None:
    places = [place for place, _ in FOUND]
    assert {place: places.count(place) for place in places} == {
        "of_compose": 3,
        "of_kubernetes": 1,
        "of_systemd": 2,
        "of_containers": 1,
        "of_readme": 4,
    }


@pytest.mark.parametrize(("place", "words"), FOUND, ids=[f"{place}-{words[0]}" for place, words in FOUND])
def test_the_command_line_takes_it(place: str, words: list[str]) -> None:
    verb, *arguments = words
    context = VERBS[verb].make_context(verb, arguments)
    assert not context.args, place


def test_every_target_of_make_that_a_page_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
    named = {
        (page.name, name) for page in pages for name in re.findall(r"(?:^|`)make ([a-z-]+)", page.read_text(), re.M)
    }
    assert {("README.md", "demo"), ("testing.md", "peers")} <= named
    assert {(page, name) for page, name in named if name not in targets} == set()


def test_every_file_that_a_page_links_to_exists() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
    links = {(page, link) for page in pages for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())}
    assert [(page.name, link) for page, link in links if "://" not in link and not (page.parent / link).exists()] == []


def test_every_file_that_the_recipes_for_contributors_name_exists() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    roots = "actors|sipcore|media|sipswarm|tests|docs|deploy|examples"
    named = set(re.findall(rf"`((?:{roots})/[\w./-]*|CHANGELOG\.md)`", text))
    assert {"actors/config.py", "media/audio/codecs.py", "tests/actors/bus/test_wire.py"} <= named
    assert sorted(name for name in named if not (ROOT / name).exists()) == []


def test_the_picture_of_the_readme_is_small() -> None:
    (picture,) = re.findall(r"^!\[.+\]\((.+)\)$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert (ROOT / picture).stat().st_size < 150_000


def test_as_many_shards_as_the_job_has_pods() -> None:
    job = (DEPLOY / "kubernetes" / "job.yaml").read_text()
    shards = re.search(r"SHARDS: '(\d+)'", (DEPLOY / "kubernetes" / "configmap.yaml").read_text())
    assert shards is not None
    assert re.findall(r"^  (?:completions|parallelism): (\d+)$", job, re.MULTILINE) == [shards[1]] * 2


@pytest.mark.parametrize("name", ["compose.yaml", "systemd/sipswarm@.service", "kubernetes/job.yaml"])
def test_a_node_gets_longer_to_end_than_it_drains(name: str) -> None:
    text = (DEPLOY / name).read_text()
    grace = re.search(r"(?:stop_grace_period: |TimeoutStopSec=|terminationGracePeriodSeconds: )(\d+)", text)
    drain = next(each for each in answer.params if each.name == "drain").get_default(click.Context(answer))
    assert grace is not None
    assert int(grace[1]) > int(str(drain).removesuffix("s"))
