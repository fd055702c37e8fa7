"""The tab about the model: what it says of itself, and how its workers are doing."""

import re

from playwright.sync_api import expect

from ui.pages import Open, predict, predicted, to_tab


def test_card(open_page: Open) -> None:
    """The metadata is a card: author, licence, version, the description as Markdown, links."""
    card = open_page("#/trained/model").locator("model-card")
    for name, text in (("author", "Ada"), ("license", "MIT"), ("version", "1.2"), ("classes", "a, b")):
        expect(card.locator("dl > div").filter(has_text=name)).to_contain_text(text)
    expect(card.locator("strong")).to_have_text("learns")
    expect(card.get_by_role("list").first.get_by_role("listitem")).to_have_text(["quickly", "well"])
    for name, address in (
        ("the paper", "paper"),
        ("source", "source"),
        (r"https://example.org/home", "home"),
    ):
        expect(card.get_by_role("link", name=name)).to_have_attribute(
            "href", f"https://example.org/{address}"
        )


def test_workers(open_page: Open) -> None:
    """Workers, queue, times and answers are shown, those since the page was opened too."""
    page = open_page("#/raising")
    to_tab(page, "Model")
    workers = page.locator("workers-view")
    expect(workers).to_contain_text(re.compile("1 idle.*nobody waits", re.DOTALL))
    to_tab(page, "Predict")
    predict(page)
    expect(page.get_by_role("status").filter(has_text="Not answered")).to_be_visible()
    to_tab(page, "Model")
    refused = workers.locator("tr.bad").filter(has=page.get_by_role("rowheader", name="422"))
    expect(refused.get_by_role("cell").last).to_have_text("1")


def test_times(open_page: Open) -> None:
    """How long predictions took is a table, and a curve as they come."""
    page = open_page("#/only_predict")
    to_tab(page, "Model")
    workers = page.locator("workers-view")
    expect(workers).to_contain_text("idle")
    to_tab(page, "Predict")
    predicted(page)
    to_tab(page, "Model")
    expect(workers.get_by_role("row").filter(has_text="in the model")).to_contain_text("ms")
    expect(workers.locator("line-chart canvas")).to_be_visible()


def test_several_models(open_page: Open) -> None:
    """Several models are chosen from at the top; the tab stays, and the address names both."""
    page = open_page()
    switch = page.get_by_label("Model", exact=True)
    to_tab(page, "Model")
    switch.select_option("trained")
    expect(page).to_have_url(re.compile("#/trained/model$"))
    expect(page.locator("model-card")).to_contain_text("Ada")
    switch.select_option("only_predict")
    expect(page.locator("model-card")).to_contain_text("does not define get_metadata()")
    page.go_back()
    expect(page.locator("model-card")).to_contain_text("Ada")
    expect(switch).to_have_value("trained")
