"""What an artifact keeps of the models of a program, and which ones a loaded program may ask."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import langprog as lp
from langprog.artifact import digest_of, read_artifact, save_program
from langprog.errors import ArtifactError, ModelError
from langprog.lm import dialect_of
from tests.artifact.comparing import without_lineage

URL = "https://models.example/v1"


def remote(name: str = "house/llama", url: str = URL, **options: Any) -> Any:
    return lp.LM(name, base_url=url, cache=False, **options)


def saying(text: str, name: str) -> lp.ScriptedLM:
    return lp.ScriptedLM(lambda request: f"[[b]]\n{text}", name=name)


def saved(program: lp.Module, folder: Path) -> Path:
    save_program(program, folder / "p.json")
    return folder / "p.json"


def rewritten(path: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """Return a changed copy whose digest fits, as anybody can write one."""
    data = json.loads(path.read_text())
    change(data)
    del data["digest"]
    target = path.with_name("rewritten.json")
    target.write_text(json.dumps({**data, "digest": digest_of(data)}))
    return target


@pytest.fixture(autouse=True)
def nothing_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OLLAMA_HOST"):
        monkeypatch.delenv(name, raising=False)


def test_what_is_written_is_the_models_own_wherever_save_is_called(tmp_path: Path) -> None:
    model = remote(temperature=0.9, max_tokens=33, price=lp.Price(1.0, 2.0))
    program = lp.Predict("a -> b", model=model, temperature=0.1)
    outside = without_lineage(saved(program, tmp_path))
    elsewhere = remote(url="https://elsewhere.example/v1", price=lp.Price(5.0, 5.0))
    with lp.using(lm=elsewhere, models=[saying("x", "other/model")]):
        assert without_lineage(saved(program, tmp_path)) == outside
    loaded = lp.load(tmp_path / "p.json")
    predictor = loaded.predictors()["predict"]
    assert predictor.sampling == lp.Sampling(temperature=0.1, max_tokens=33)
    assert predictor.model == lp.ModelRef("house/llama", URL)
    assert without_lineage(saved(loaded, tmp_path)) == outside


def pair(first: Any, second: Any) -> lp.Module:
    return lp.Pipeline(
        one=lp.Predict("a -> b", model=first), two=lp.Predict("b -> c", model=second)
    )


def test_two_different_models_of_one_name_stay_two(tmp_path: Path) -> None:
    elsewhere = remote(url="https://elsewhere.example/v1")
    path = saved(pair(remote(), elsewhere), tmp_path)
    data = json.loads(path.read_text())
    lines = {key: (line["name"], line["endpoint"]) for key, line in data["models"].items()}
    assert lines == {
        "house/llama#1": ("house/llama", URL),
        "house/llama#2": ("house/llama", "https://elsewhere.example/v1"),
    }
    assert read_artifact(path).model_names == ("house/llama",)
    first, second = saying("first", "house/llama"), saying("second", "house/llama")
    loaded = lp.load(path, models={"house/llama#2": second, "house/llama#1": first})
    assert [each.model.lm for each in loaded.predictors().values()] == [first, second]
    loaded = lp.load(path, models={"house/llama": first})
    assert [each.model.lm for each in loaded.predictors().values()] == [first, first]
    loaded = lp.load(path, models={"house/llama": first, "house/llama#2": second})
    assert [each.model.lm for each in loaded.predictors().values()] == [first, second]
    before = without_lineage(path)
    again = lp.load(path, models={"house/llama#1": remote(), "house/llama#2": elsewhere})
    assert without_lineage(saved(again, tmp_path)) == before


def test_none_of_two_models_is_asked_for_the_other_one(tmp_path: Path) -> None:
    path = saved(pair(remote(), remote(price=lp.Price(1.0, 1.0))), tmp_path)
    model = saying("x", "house/llama")
    given: list[Any] = [{}, {"house/llama#1": model}, {"house/llama#2": model}]
    for models in given:
        with (
            lp.using(lm=model),
            pytest.raises(
                ArtifactError, match="different models named 'house/llama'.*pass a model"
            ),
        ):
            lp.load(path, models=models)
    with pytest.raises(
        ModelError, match="no model 'house/llama#3'; it names 'house/llama#1', 'ho"
    ):
        lp.load(path, models={"house/llama": model, "house/llama#3": model})


def test_what_differs_in_its_defaults_alone_is_one_model(tmp_path: Path) -> None:
    # It is told apart by what each predictor samples with.
    path = saved(pair(remote(), remote(temperature=1.0)), tmp_path)
    assert list(read_artifact(path).data.models) == ["house/llama"]
    loaded = lp.load(path).predictors()
    assert [each.sampling.temperature for each in loaded.values()] == [None, 1.0]


def test_models_that_cannot_be_told_apart_are_not_saved(tmp_path: Path) -> None:
    elsewhere = remote(url="https://elsewhere.example/v1")
    named = lp.Predict("c -> d", model="house/llama")
    with pytest.raises(
        ArtifactError, match=r"two\.model names 'house/llama', and the program has"
    ):
        saved(lp.Pipeline(one=pair(remote(), elsewhere), two=named), tmp_path)
    third = lp.Predict("c -> d", model="house/llama#2")
    with pytest.raises(ArtifactError, match="one named 'house/llama#2'.*rename it"):
        saved(lp.Pipeline(one=pair(remote(), elsewhere), two=third), tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("key", ["house/other", "house/llama#", "house/llama#x", "#1"])
def test_a_key_is_a_name_or_a_name_with_a_number(key: str, tmp_path: Path) -> None:
    def change(data: dict[str, Any]) -> None:
        data["models"][key] = data["models"]["house/llama"]

    path = rewritten(saved(lp.Predict("a -> b", model=remote()), tmp_path), change)
    with pytest.raises(ArtifactError, match="the entry for the model"):
        lp.load(path)


def test_a_model_that_only_an_address_reaches_is_asked_for(tmp_path: Path) -> None:
    program = lp.load(saved(lp.Predict("a -> b", model=remote()), tmp_path))
    with pytest.raises(ModelError, match=r"house/llama.*models\.example.*base_url"):
        program(a="x")
    with lp.using(lm=saying("ambient", "house/llama")):
        assert program(a="x").b == "ambient"


@pytest.mark.parametrize(
    "program",
    [
        lp.Predict("a -> b", model=remote()),
        lp.ChainOfThought("a -> b").with_parameters({"predict.model": remote()}),
        lp.Vote(lp.Predict("a -> b", model=remote()), k=1),
        lp.Cascade.over(lp.Predict("a -> b"), [remote()]),
        lp.Route.over(lp.Pipeline(one=lp.Predict("a -> b")), [remote()]),
    ],
    ids=lambda program: type(program).__name__,
)
def test_models_are_replaced_by_name_at_any_depth(program: lp.Module, tmp_path: Path) -> None:
    path = saved(program, tmp_path)
    lm = lp.ScriptedLM(lambda request: "[[reasoning]]\nr\n[[b]]\nnew", name="other/name")
    loaded = lp.load(path, models={"house/llama": lm})
    assert {each.model.lm for each in loaded.predictors().values()} == {lm}
    assert loaded(a="x").b == "new"
    with lp.using(models=[lm]):
        assert lp.load(path, models={"house/llama": "other/name"})(a="x").b == "new"


def test_a_mapping_says_what_it_may_name(tmp_path: Path) -> None:
    path = saved(lp.Predict("a -> b", model=remote()), tmp_path)
    with pytest.raises(ModelError, match="no model 'house/lama'; it names 'house/llama'"):
        lp.load(path, models={"house/lama": "pocket/small"})
    wrong: list[Any] = [{"house/llama": 5}, ["house/llama"]]
    for models in wrong:
        with pytest.raises(ModelError, match="models"):
            lp.load(path, models=models)
    with pytest.raises(ModelError, match="it names none"):
        lp.load(saved(lp.Predict("a -> b"), tmp_path), models={"house/llama": "pocket/small"})


NAMES = [
    "huggingface/https://evil.example/x",
    "openai/http:evil.example",
    "ftp://evil.example/m",
    "openai/m@evil.example",
    "openai/m@user:word@evil.example",
    "\\\\evil\\share",
    "openai/file:/etc",
    "openai/../m",
    "openai/m?base=x",
    "huggingface/https%3A%2F%2Fevil.example",
    "huggingface/https\uff1a//evil.example",
    "openai/two words",
    "openai/line\nbreak",
    "openai/\u202em",
    "openai/m\u200b",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_may_be_an_address_is_refused(name: str, tmp_path: Path) -> None:
    def change(data: dict[str, Any]) -> None:
        data["program"]["model"] = name
        data["models"] = {name: {**data["models"]["house/llama"], "name": name}}

    path = rewritten(saved(lp.Predict("a -> b", model=remote()), tmp_path), change)
    with pytest.raises(ArtifactError, match="does not decide where prompts go") as caught:
        lp.load(path)
    assert str(caught.value).isprintable()
    assert read_artifact(path).model_names == (name,)
    assert lp.load(path, models={name: saying("mine", "a/b")})(a="x").b == "mine"


@pytest.mark.parametrize(
    "name",
    [
        "ollama/llama3.2:3b",
        "vertex_ai/claude@20250101",
        "vertex_ai/gemini@default",
        "cloudflare/@cf/meta/llama",
        "bedrock/arn:aws:bedrock:us-east-1:1:inference-profile/m",
        "vllm//data/models/qwen.gguf",
        "openai/ft:gpt-4.1:org::id",
    ],
)
def test_names_that_only_look_odd_are_taken(name: str, tmp_path: Path) -> None:
    loaded = lp.load(saved(lp.Predict("a -> b", model=name), tmp_path))
    assert str(loaded.predictors()["predict"].model) == name


def test_a_table_does_not_redirect_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scripted_endpoint: Any
) -> None:
    evil, mine = saying("evil", "openai/m"), saying("mine", "openai/m")
    address = scripted_endpoint(evil)

    def change(data: dict[str, Any]) -> None:
        data["models"]["openai/m"]["endpoint"] = address

    path = saved(lp.Predict("a -> b", model=remote("openai/m")), tmp_path)
    program = lp.load(rewritten(path, change))
    with pytest.raises(ModelError, match="openai/m"):
        program(a="x")
    monkeypatch.setenv("LANGPROG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    monkeypatch.setenv("OPENAI_BASE_URL", scripted_endpoint(mine))
    assert program(a="x").b == "mine"
    assert not evil.calls


def test_a_price_that_is_none_is_the_artifacts_fault(tmp_path: Path) -> None:
    def change(data: dict[str, Any]) -> None:
        data["models"]["house/llama"].update(input=-1.0, output=1.0)

    path = rewritten(saved(lp.Predict("a -> b", model=remote()), tmp_path), change)
    with pytest.raises(ArtifactError, match="the price of 'house/llama'"):
        lp.load(path)


class Named(lp.Module):
    """Has a model as a parameter of its own."""

    def __init__(self, model: Any = None) -> None:
        self.model = model

    def own_parameters(self) -> dict[str, Any]:
        return {"model": lp.modules.Parameter("model", self.model)}

    def with_own_parameters(self, values: Any) -> Named:
        return Named(values["model"])

    def forward(self, a: str) -> lp.Prediction:
        return lp.Predict("a -> b", model=self.model)(a=a)


def test_a_model_of_a_users_own_module_is_one_of_the_programs(tmp_path: Path) -> None:
    path = saved(Named(lp.ModelRef.of(saying("handed", "house/llama"))), tmp_path)
    assert read_artifact(path).model_names == ("house/llama",)
    lm = saying("new", "other/name")
    assert lp.load(path, [Named], models={"house/llama": lm})(a="x").b == "new"


def test_where_a_price_is_from_is_kept_from_artifact_to_artifact(tmp_path: Path) -> None:
    listed = remote("openai/gpt-4.1-mini", api_key="none")
    path = saved(lp.Predict("a -> b", model=listed), tmp_path)
    line = read_artifact(path).data.models["openai/gpt-4.1-mini"]
    assert line.price_source is not None and line.price_source.startswith("genai-prices ")
    older = without_lineage(path)
    assert without_lineage(saved(lp.load(path), tmp_path)) == older


def test_what_is_known_of_an_endpoint_is_kept_from_artifact_to_artifact(tmp_path: Path) -> None:
    model = remote(schema=True)
    dialect = dialect_of(model)
    assert dialect is not None
    dialect.refuse({"seed", "response_format"})
    path = saved(lp.Predict("a -> b", model=model), tmp_path)
    for _ in range(2):
        line = json.loads(path.read_text())["models"]["house/llama"]
        assert line["name"] == "house/llama" and line["schema"] is True
        assert line["refused"] == ["response_format", "seed"]
        path = saved(lp.load(path), tmp_path)
    path = saved(lp.Predict("a -> b", model=remote("openai/m", api_key="none")), tmp_path)
    line = json.loads(path.read_text())["models"]["openai/m"]
    assert (line["schema"], line["refused"]) == (None, [])


def test_a_name_says_whether_its_provider_keeps_to_schemas(tmp_path: Path) -> None:
    for name, schema in (("openai/m", True), ("house/m", None)):
        path = saved(lp.Predict("a -> b", model=name), tmp_path)
        assert read_artifact(path).data.models[name].takes_schema is schema


def test_a_line_of_another_model_is_refused(tmp_path: Path) -> None:
    def change(data: dict[str, Any]) -> None:
        data["models"]["house/llama"]["name"] = "house/other"

    path = rewritten(saved(lp.Predict("a -> b", model=remote()), tmp_path), change)
    with pytest.raises(ArtifactError, match="the entry for the model 'house/llama' names"):
        lp.load(path)


@pytest.mark.parametrize(
    "extra",
    [
        {"api_base": URL},
        {"base_url": URL},
        {"fallbacks": [{"model": "openai/m", "api-base": URL}]},
        {"mcp": {"server_url": URL}},
        {"proxy": "elsewhere.example:80"},
    ],
)
def test_an_artifact_tells_no_gateway_where_to_send_a_prompt(
    extra: dict[str, Any], tmp_path: Path
) -> None:
    path = saved(lp.Predict("a -> b", model="openai/m"), tmp_path)

    def change(data: dict[str, Any]) -> None:
        data["program"]["sampling"]["extra"] = extra

    with pytest.raises(ArtifactError, match="does not decide where prompts go"):
        lp.load(rewritten(path, change))
    program = lp.Predict("a -> b", model="openai/m", sampling=lp.Sampling(extra=extra))
    with pytest.raises(ArtifactError, match="extra of predict contains"):
        saved(program, tmp_path)


def test_other_members_of_extra_are_kept(tmp_path: Path) -> None:
    extra = {"min_p": 0.1, "guided_regex": "https?://.*", "knowledge_base": "docs"}
    program = lp.Predict("a -> b", model="openai/m", sampling=lp.Sampling(extra=extra))
    loaded = lp.load(saved(program, tmp_path))
    assert loaded.predictors()["predict"].sampling.extra == extra
