"""People and scripts that come and go: live pictures, replay, exports; and clean-ups."""

from __future__ import annotations

import io
import random
import threading
import time
import zipfile
from collections import Counter
from urllib.parse import urljoin

from harness.api import API
from harness.server import NVR
from harness.websocket import Closed, Gone, Refused, WebSocket
from peers.bitstream import annexb_nals
from peers.numbered import number_of

from .plan import Step


class Visits:
    """Walks the visits of the plan, a thread for each lane. What went wrong is kept with its time: whether a fault explains it is seen later."""

    def __init__(self, nvr: NVR, steps: list[Step], ids: list[int], begun: float, seed: int):
        self.nvr, self.ids, self.begun = nvr, ids, begun
        self.counts: Counter = Counter()  # (kind, outcome)
        self.failures: list[tuple[float, float, str]] = []  # from, to (wall), what
        self.frames = self.jumps = 0  # of live viewers
        self.deleted = self.withheld = 0
        self.held: tuple[int, float, float] | None = None  # camera, start, end
        self._chance = random.Random(seed)
        self._ended = threading.Event()
        lanes: dict[str, list[Step]] = {}
        for step in steps:
            lanes.setdefault(step.lane, []).append(step)
        self._threads = [threading.Thread(target=self._walk, args=(lane,), daemon=True) for lane in lanes.values()]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(90)

    def _walk(self, steps: list[Step]) -> None:
        for step in steps:
            if self._ended.wait(max(0, self.begun + step.at - time.time())):
                return
            wall = time.time()
            api = API(self.nvr.api.base)
            api.token = self.nvr.api.token
            try:
                outcome = getattr(self, f"_{step.kind}")(api, step)
            except Exception as problem:  # noqa: BLE001  judged at the end
                outcome = "failed"
                self.failures.append((wall, time.time(), f"{step.kind}: {type(problem).__name__}: {str(problem)[:200]}"))
            finally:
                api._session.close()
            self.counts[step.kind, outcome] += 1

    def _expect(self, answer, *fine: int) -> str:
        """"ok", or "nothing" for what is not there or not now; anything else is a failure."""
        if answer.status_code in fine:
            return "ok"
        if answer.status_code in (404, 409, 416):
            return "nothing"
        raise RuntimeError(f"{answer.status_code} {answer.text[:150]}")

    def _range(self, step: Step, seconds: float) -> dict:
        """Some footage of the last minutes."""
        end = time.time() - self._chance.uniform(5, max(6, min(120, time.time() - self.begun)))
        return {"start": f"{end - seconds:.3f}", "end": f"{end:.3f}"}

    # Kinds of the plan.

    def _live(self, api: API, step: Step) -> str:
        last = None
        deadline = time.monotonic() + step.seconds
        try:
            with WebSocket(api.base, f"/cameras/{self.ids[step.camera]}/ws", token=api.token, timeout=60) as viewer:
                while time.monotonic() < deadline and not self._ended.is_set():
                    message = viewer.message()
                    if message.kind != 0:
                        continue
                    number = number_of(annexb_nals(message.payload))
                    self.frames += 1
                    self.jumps += last is not None and number != last + 1
                    last = number
        except Closed as closed:
            if closed.code in (1001, 1012, 1013):
                return "ended by the server"
            raise
        except Refused as refused:
            if refused.status in (404, 409, 503):
                return "nothing"
            raise
        return "ok" if last is not None else "nothing"

    def _fragments(self, api: API, step: Step) -> str:
        deadline, count = time.monotonic() + step.seconds, 0
        try:
            with WebSocket(api.base, f"/cameras/{self.ids[step.camera]}/mse", token=api.token, timeout=60) as viewer:
                while time.monotonic() < deadline and not self._ended.is_set():
                    viewer.data()
                    count += 1
        except Closed as closed:
            if closed.code in (1001, 1012, 1013):
                return "ended by the server"
            raise
        except Refused as refused:
            if refused.status in (404, 409, 503):
                return "nothing"
            raise
        return "ok" if count else "nothing"

    def _file(self, api: API, step: Step) -> str:
        events = api.json("/events", params={"limit": 50, "camera_id": self.ids[step.camera]})
        places = [event["file_path"] for event in events if event.get("file_path")]
        if not places:
            return "nothing"
        first = self._chance.randrange(200_000)
        return self._expect(api.get(self._chance.choice(places), headers={"Range": f"bytes={first}-{first + 300_000}"}), 200, 206)

    def _playlist(self, api: API, step: Step) -> str:
        place = f"/cameras/{self.ids[step.camera]}/playback.m3u8"
        answer = api.get(place, params=self._range(step, 30))
        if (outcome := self._expect(answer, 200)) != "ok":
            return outcome
        for line in [line for line in answer.text.splitlines() if line and not line.startswith("#")][:4]:
            outcome = self._expect(api.get(urljoin(place, line)), 200, 206)
        return outcome

    def _export(self, api: API, step: Step) -> str:
        answer = api.get(f"/cameras/{self.ids[step.camera]}/export.mp4", params=self._range(step, step.seconds), timeout=120)
        if (outcome := self._expect(answer, 200)) == "ok" and answer.content[4:8] != b"ftyp":
            raise RuntimeError("the export is no movie")
        return outcome

    def _archive(self, api: API, step: Step) -> str:
        end = time.time() - 30
        answer = api.post("/exports", timeout=120, json={
            "camera_ids": sorted({self.ids[step.camera], self.ids[(step.camera + 3) % len(self.ids)]}), "start": end - step.seconds, "end": end,
            "manifest": True})
        if (outcome := self._expect(answer, 200)) == "ok" and (bad := zipfile.ZipFile(io.BytesIO(answer.content)).testzip()):
            raise RuntimeError(f"{bad} of an exported archive is damaged")
        return outcome

    def _snapshot(self, api: API, step: Step) -> str:
        answer = api.post(f"/cameras/{self.ids[step.camera]}/snapshot")
        # The camera may be off, and the disk may have no room.
        return "nothing" if answer.status_code in (502, 503, 504, 507) else self._expect(answer, 200, 201)

    def _cleanup(self, api: API, step: Step) -> str:
        answer = api.post("/settings/cleanup", json={}, timeout=120)
        outcome = self._expect(answer, 200)
        if outcome == "ok":
            told = answer.json()
            self.deleted += told["deleted_count"]
            self.withheld = max(self.withheld, told["withheld"]["count"])
            if told["status"] not in ("success", "planned"):
                outcome = told["status"]
        return outcome

    def _hold(self, api: API, step: Step) -> str:
        end = time.time() - 5
        answer = api.put(f"/cameras/{self.ids[step.camera]}/holds", json={"start": end - step.seconds, "end": end, "reason": "kept through the soak"})
        outcome = self._expect(answer, 200, 201)
        self.held = (step.camera, end - step.seconds, end)
        return outcome
