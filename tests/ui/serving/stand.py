"""The serving page in the kernel before a real back end, and what a visitor does there."""

from dataclasses import dataclass

from tests.backend import making
from tests.backend.real_server import Server
from tests.chain import make_settings, wait_until
from tests.ui.pressing import press
from workbench.application.stack import App
from workbench.backends.http import HttpBackEnd
from workbench.errors import Unavailable
from workbench.models import registry
from workbench.settings import Settings
from workbench.ui.serving import ServingPage
from workbench.ui.widgets.actions import Action


def settings_of(server: Server, port: int | None = None) -> Settings:
    return make_settings(
        server.settings.home,
        WORKBENCH_BACKEND_PORT=str(port or server.settings.backend_port),
    )


@dataclass
class Account:
    """An account on AWS, with the application or without."""

    state: str = "absent"

    def look(self) -> App:
        if self.state == "refused":
            raise Unavailable("there are no AWS credentials here")
        return App("workbench", self.state, "123456789012", "eu-central-1", "ab12")


@dataclass
class Visitor:
    """What somebody does who has said a name."""

    page: ServingPage

    def turn(self) -> None:
        self.page.poll.turn()

    def open(self, reference: str) -> None:
        self.turn()
        self.page.models.table.opened = reference
        wait_until(lambda: reference in self.page.models.version.head.html, 60, "the version")

    def press(self, action: Action) -> None:
        """Press it, and look at what has changed."""
        press(action)
        self.turn()


@dataclass
class Stand(Visitor):
    """The page of somebody who has said a name, and its back end."""

    server: Server

    def deploy(self, version: int) -> None:
        found = registry.find(f"mnist-cnn:{version}", self.page.workbench.settings)
        HttpBackEnd(self.server.url, making.TOKEN).deploy(found, reason="to begin with", who="ann")

    def correct(self, number: int, digit: int) -> None:
        picture = making.data_url(making.png(making.seven(280 - 3 * number))).decode()
        body = f'{{"image": "{picture}", "predicted": 7, "digit": {digit}}}'.encode()
        assert self.server.ask("POST", "/corrections", body, Content_Type="application/json").status == 201
