"""The Model tab: metadata and worker metrics."""

import re

from playwright.sync_api import expect

from ui.pages import OpenPage, open_tab, predict, predict_and_wait


def test_card(open_page: OpenPage) -> None:
    """The card shows author, licence, version, links, and the description as Markdown."""
    card = open_page("#/trained/model").locator("model-card")
    for name, text in (("author", "Ada"), ("license", "MIT"), ("version", "1.2"), ("classes", "a, b")):
        expect(card.locator("dl > div").filter(has_text=name)).to_contain_text(text)
    expect(card.locator("strong")).to_have_text("learns")
    expect(card.get_by_role("list").first.get_by_role("listitem")).to_have_text(["quickly", "well"])
    for name, path in (
        ("the paper", "paper"),
        ("source", "source"),
        (r"https://example.org/home", "home"),
    ):
        expect(card.get_by_role("link", name=name)).to_have_attribute("href", f"https://example.org/{path}")


def test_workers(open_page: OpenPage) -> None:
    """The tab shows workers, queue and responses, with the number since page load."""
    page = open_page("#/raising")
    open_tab(page, "Model")
    workers = page.locator("workers-view")
    expect(workers).to_contain_text(re.compile("1 idle.*queue empty", re.DOTALL))
    open_tab(page, "Predict")
    predict(page)
    expect(page.get_by_role("status").filter(has_text="Failed after")).to_be_visible()
    open_tab(page, "Model")
    rejected = workers.locator("tr.bad").filter(has=page.get_by_role("rowheader", name="422"))
    expect(rejected.get_by_role("cell").last).to_have_text("1")


def test_times(open_page: OpenPage) -> None:
    """The tab shows prediction times as a table and a chart."""
    page = open_page("#/only_predict")
    open_tab(page, "Model")
    workers = page.locator("workers-view")
    expect(workers).to_contain_text("idle")
    open_tab(page, "Predict")
    predict_and_wait(page)
    open_tab(page, "Model")
    expect(
        workers.get_by_role("row").filter(has=page.get_by_role("rowheader", name="model"))
    ).to_contain_text("ms")
    expect(workers.locator("line-chart canvas")).to_be_visible()


def test_several_models(open_page: OpenPage) -> None:
    """The user can select another model on the same tab; the URL contains model and tab."""
    page = open_page()
    switch = page.get_by_label("Model", exact=True)
    open_tab(page, "Model")
    switch.select_option("trained")
    expect(page).to_have_url(re.compile("#/trained/model$"))
    expect(page.locator("model-card")).to_contain_text("Ada")
    switch.select_option("only_predict")
    expect(page.locator("model-card")).to_contain_text("does not define get_metadata()")
    page.go_back()
    expect(page.locator("model-card")).to_contain_text("Ada")
    expect(switch).to_have_value("trained")
