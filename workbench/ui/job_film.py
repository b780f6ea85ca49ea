"""The film of a job's learning: as it grows in the job's folder while it trains, and then its version's."""

from workbench import film
from workbench.jobs import Job
from workbench.settings import Settings
from workbench.ui.film import Film, read
from workbench.verbs.models import Version


class JobFilm:
    """Shows one job at a time; ``widget`` is empty where there is nothing to be seen, or says why."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.widget = Film()
        self._of: tuple[object, ...] | None = None
        self._shown: film.Film | film.Growing | None = None

    def show(self, job: Job | None, version: Version | None) -> None:
        """Show the film as far as it is; sends nothing where nothing changed."""
        of = (
            None
            if job is None
            else (job.id, job.attempt, job.origin, None if version is None else str(version))
        )
        if of != self._of:
            self._of, self._shown = of, self._find(job, version)
            if self._shown is None:
                self.widget.clear()
        found = self._shown
        if isinstance(found, film.Growing):
            if found.refresh() or film.why_absent(found):
                self.widget.show(found)
            else:
                self.widget.clear()
        elif found is not None:
            self.widget.show(found)

    def _find(self, job: Job | None, version: Version | None) -> film.Film | film.Growing | None:
        if version is not None:
            return read(version)
        if job is None:
            return None
        return film.Growing(self._settings.home, "jobs", str(job.id), "checkpoints", film.FOLDER)
