"""Origins and texts from elsewhere on the drawing page: another back end, a notice, and the policy that stops the rest."""

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.browser.conftest import Front
from tests.browser.drawing import SEVEN, draw, mood, visit
from tests.chain import make_settings
from tests.services import stand_in_backend as stand_in
from tests.services.real_apache import running


def test_the_back_end_may_be_of_another_origin(
    browser: Browser, tmp_path: Path, free_ports: Callable[[int], list[int]]
) -> None:
    backend = stand_in.Backend()
    port, nobody = free_ports(2)
    settings = make_settings(
        tmp_path,
        WORKBENCH_FRONTEND_PORT=str(port),
        WORKBENCH_BACKEND_PORT=str(nobody),
        WORKBENCH_BACKEND_URL=backend.url,
    )
    try:
        # Another origin takes no header that the tests add.
        with running(settings) as service, visit(browser, service.url, extra_http_headers={}) as (page, seen):
            draw(page, SEVEN)
            mood(page, "answer")
            assert seen.complaints == []
            assert f"{backend.url}/predict" in seen.requests
            assert not [url for url in seen.requests if "/api/" in url]
    finally:
        backend.stop()


def test_a_notice_stands_above_the_page_as_text_and_without_one_there_is_no_room_for_it(
    browser: Browser, front: Front, tmp_path: Path, free_ports: Callable[[int], list[int]]
) -> None:
    notice = 'Only a <b>"demo"</b>'
    settings = make_settings(
        tmp_path,
        WORKBENCH_FRONTEND_PORT=str(free_ports(1)[0]),
        WORKBENCH_BACKEND_PORT=str(front.backend.port),
        WORKBENCH_NOTICE=notice,
    )
    with running(settings) as service, visit(browser, service.url) as (page, seen):
        expect(page.get_by_role("note")).to_have_text(notice)
        assert seen.complaints == []
    with visit(browser, front.url) as (page, _):
        expect(page.locator("#remark")).to_be_hidden()


def test_the_policy_stops_what_is_not_the_pages_own(browser: Browser, front: Front) -> None:
    with visit(browser, front.url) as (page, _):
        page.evaluate(
            """(elsewhere) => {
                const seen = globalThis.seen = [];
                addEventListener("securitypolicyviolation", (event) => seen.push(event.effectiveDirective));
                const image = new Image();
                image.src = `${elsewhere}/x.png`;
                document.body.append(image);
                fetch(elsewhere).catch(() => {});
                const script = document.createElement("script");
                try { script.textContent = "globalThis.ran = true"; } catch { seen.push("trusted-types"); }
                document.body.append(script);
            }""",
            "http://127.0.0.1:9",
        )
        page.wait_for_function(
            """() => ["img-src", "connect-src", "trusted-types"].every((one) => seen.includes(one))"""
        )
        assert page.evaluate("globalThis.ran ?? false") is False
