"""A camera that misbehaves: recording is back within 5 s of the camera, with one session per stream at all times."""

from __future__ import annotations

import time

import pytest

from conftest import Outcomes
from harness.machine import Machine
from harness.media import decode_errors, follow, probe, steps
from harness.server import NVR, wait_for
from harness.tls import self_signed
from peers import footage
from peers.fault_camera import FaultCamera
from peers.program_camera import free_port

BACK = 5.0
SCENARIOS: dict[str, object] = {}


def scenario(run):
    SCENARIOS[run.__name__] = run
    return run


class Case:
    """One camera of the shared server, with what its scenario needs to ask."""

    def __init__(self, nvr: NVR, name: str, peer: FaultCamera, login: str = "", **fields):
        self.nvr, self.peer = nvr, peer
        # Its own processor time; that of the server is kept for all.
        self.machine = Machine(peer)
        nvr.cases.append(self)
        self.id = nvr.api.add_camera(name, peer.url(login=login), **fields)

    def rows(self):
        return self.nvr.rows(self.id)

    def recorded(self, seconds: float = 2):
        """Waits until so much footage lies on disk since now."""
        begun = time.time()
        wait_for("footage is written", lambda: any(row.end - max(row.start, begun) >= seconds for row in self.rows()), 40)

    def kept_waiting(self, begin: float, end: float) -> float:
        return self.machine.kept_waiting(begin, end) + self.nvr.machine.kept_waiting(begin, end)

    def wait_back(self, healed: float, since: float | None = None) -> None:
        """Footage begins within 5 s of the camera's return, of a time in which server and camera could go on."""
        row = wait_for(
            "recording is back",
            lambda: next((row for row in self.rows() if row.start >= (since or healed - 0.5) and row.end > row.start), None), 60
        )
        late, waited = row.start - healed, self.kept_waiting(healed, row.start)
        assert late - waited <= BACK, f"recording is back {late:.1f} s after the camera, of which {waited:.1f} s were the machine's"

    def quiet(self) -> float:
        """Seconds from the last frame of the first session to the first of the second, without those that the machine took; at least what
        they are if it took all that is above ten."""
        stats = self.peer.stats()
        last, first = stats["last_frames"]["/main"][0], stats["first_frames"]["/main"][1]
        return max(first - last - self.kept_waiting(last, first), min(first - last, 10))

    def one_session(self) -> None:
        most = self.peer.stats()["most_sessions"]
        assert all(count <= 1 for count in most.values()), f"sessions at once: {most}"

    def finished(self):
        """The footage so far as movies, after recording was switched off and the last file closed."""
        answer = self.nvr.api.put(f"/cameras/{self.id}", json={"is_active": False})
        assert answer.status_code == 200, answer.text
        wait_for("the last file is closed", lambda: self.rows() and all(row.finished for row in self.rows()), 20)
        return [probe(row.path) for row in self.rows()]


def small() -> footage.Film:
    return footage.counter(gop_seconds=1)


def outage(nvr: NVR, name: str, seconds: float = 8, status: str | None = None, audio=None, **fault) -> None:
    """The common story: it records, the fault sets in (what hangs is reset), the fault ends, it records again."""
    with FaultCamera(small(), audio) as peer:
        case = Case(nvr, name, peer, record_audio=audio is not None)
        case.recorded(2)
        peer.set(**fault)
        peer.drop()
        time.sleep(seconds)
        if status:
            wait_for(f"it is {status}, with a reason", lambda: (camera := nvr.api.camera(case.id))["status"] == status and camera["status_reason"])
        case.wait_back(peer.heal())
        case.recorded(1)
        case.one_session()
        assert nvr.api.status(case.id) == "CONNECTED"


@scenario
def silent_after_connect(nvr):
    outage(nvr, "silent after connect", 14, "UNREACHABLE", connect="silent")


@scenario
def silent_after_play(nvr):
    outage(nvr, "silent after play", 14, "UNREACHABLE", play="silent")


@scenario
def hangs_up(nvr):
    outage(nvr, "hangs up", connect="close")


@scenario
def audio_only(nvr):
    outage(nvr, "audio only", 14, "UNREACHABLE", audio=footage.sound("pcma"), play="audio")


@scenario
def not_found_404(nvr):
    outage_status(nvr, "DESCRIBE", 404)


@scenario
def session_not_found_454(nvr):
    outage_status(nvr, "PLAY", 454)


@scenario
def unavailable_503(nvr):
    outage_status(nvr, "DESCRIBE", 503)


@scenario
def unauthorized_after_success(nvr):
    sub = footage.counter(width=320, height=192, gop_seconds=1, bitrate="300k")
    with FaultCamera(small(), sub=sub, auth="digest", user="viewer", password="pass") as peer:
        case = Case(nvr, "401 later", peer, login="viewer:pass", sub_rtsp_url=peer.url("/sub", login="viewer:pass"), detect_motion_mode="Always")
        case.recorded(2)
        wait_for("both streams are read", lambda: all(peer.stats()["first_frames"].values()), 20)
        refused = lambda: peer.stats().get("failed_logins", 0)

        # Some cameras answer 401 when their connections run out: after an earlier success that is no reason to wait minutes. It counts
        # for itself, since it may see three wrong log-ins of each stream only.
        peer.set(refuse=1)
        dropped = peer.drop()
        wait_for("a log-in is refused", lambda: refused() > 0)
        case.wait_back(peer.stats()["refused_at"], since=dropped)
        case.one_session()
        case.recorded(1)

        # But the password may have been changed on the camera: it locks accounts after 5 wrong ones in 10 minutes.
        before = refused()
        peer.set(password="new")
        peer.drop()
        wait_for("the old password is refused", lambda: refused() > before)
        time.sleep(14)
        assert 1 <= refused() - before <= 2, f"{refused() - before} wrong log-ins"
        changed = time.time()
        answer = nvr.api.put(f"/cameras/{case.id}", json={"rtsp_url": peer.url(login="viewer:new")})
        assert answer.status_code == 200, answer.text
        case.wait_back(changed)


def outage_status(nvr, method, code):
    with FaultCamera(small()) as peer:
        case = Case(nvr, f"{code} to {method}", peer)
        case.recorded(2)
        peer.set(status={method: code})
        peer.drop()
        time.sleep(8)
        wait_for("it is not recorded", lambda: nvr.api.status(case.id) in ("UNREACHABLE", "STARTING"))
        case.wait_back(peer.heal())
        case.one_session()


@scenario
def unauthorized_at_first(nvr):
    with FaultCamera(small(), auth="digest", user="viewer", password="right") as peer:
        case = Case(nvr, "401 first", peer, login="viewer:wrong")
        wait_for("the camera is UNAUTHORIZED", lambda: nvr.api.status(case.id) == "UNAUTHORIZED", 30)
        time.sleep(25)
        stats = peer.stats()
        assert 1 <= stats.get("failed_logins", 0) <= 3, f"{stats.get('failed_logins')} wrong log-ins"
        assert stats["connections"] <= 6, "it keeps knocking"
        changed = time.time()
        answer = nvr.api.put(f"/cameras/{case.id}", json={"rtsp_url": peer.url(login="viewer:right")})
        assert answer.status_code == 200, answer.text
        case.wait_back(changed)


@scenario
def dies_in_mid_stream(nvr):
    with FaultCamera(small(), die_after=50) as peer:
        case = Case(nvr, "dies", peer)
        wait_for("it died four times", lambda: peer.stats().get("died", 0) >= 4, 60)
        stats = peer.stats()
        deaths = list(zip(stats["last_frames"]["/main"], stats["first_frames"]["/main"][1:]))
        gaps = [late - death - case.kept_waiting(death, late) for death, late in deaths]
        assert max(gaps) <= BACK, f"seconds until the next session: {gaps}"
        peer.set(die_after=0)
        case.recorded(1)
        case.one_session()
        # Each life of 50 frames is stored whole but for what was on its way: whole files, no frame twice.
        source = small().fingerprints
        for movie in case.finished():
            assert follow(movie.fingerprints(), source) == "", movie.path.name


@scenario
def goes_silent_in_mid_stream(nvr):
    with FaultCamera(small(), silent_after=60) as peer:
        case = Case(nvr, "goes silent", peer)
        wait_for("a second session", lambda: len(peer.stats()["first_frames"]["/main"]) >= 2, 60)
        # The watchdog waits 10 s for video, the new session then has 5 s.
        quiet = case.quiet()
        assert 8 <= quiet <= 10 + BACK, f"a new session {quiet:.1f} s after the last frame"
        case.wait_back(peer.heal())
        case.one_session()


@scenario
def video_stops_audio_goes_on(nvr):
    with FaultCamera(small(), footage.sound("pcma"), video_stops_after=60) as peer:
        case = Case(nvr, "audio goes on", peer, record_audio=True)
        wait_for("a second session", lambda: len(peer.stats()["first_frames"]["/main"]) >= 2, 60)
        quiet = case.quiet()
        assert 8 <= quiet <= 10 + BACK, f"a new session {quiet:.1f} s after the last picture"
        case.one_session()


@scenario
def garbage_instead_of_answers(nvr):
    outage(nvr, "garbage at connect", connect="garbage")


@scenario
def garbage_instead_of_frames(nvr):
    outage(nvr, "garbage frames", 14, play="garbage")


@scenario
def garbage_between_frames(nvr):
    with FaultCamera(small(), garbage_after=40) as peer:
        case = Case(nvr, "garbage between", peer)
        wait_for("40 frames went out", lambda: peer.stats()["sent"].get("/main", 0) >= 45, 40)
        noise = time.time()
        # Whether it resynchronises or reconnects is its own choice; footage must go on.
        wait_for("footage after the noise", lambda: any(row.end > noise + 2 for row in case.rows()), 20)
        first = min(row.start for row in case.rows() if row.end > noise + 2)
        assert first - noise - case.kept_waiting(noise, max(noise, first)) <= BACK


@scenario
def reboots_for_20_seconds(nvr):
    with FaultCamera(small()) as peer:
        case = Case(nvr, "reboots", peer)
        case.recorded(2)
        peer.reboot(20)
        wait_for("it is UNREACHABLE", lambda: nvr.api.status(case.id) == "UNREACHABLE")
        back = wait_for("the camera is back", lambda: peer.stats()["back_at"], 30)
        case.wait_back(back)
        case.one_session()


def changes(nvr, name, other: footage.Film, in_mid_stream: bool):
    """The camera shows another picture size or codec: both are stored, each in files of its own."""
    first = small()
    with FaultCamera(first, films={"other": other}) as peer:
        case = Case(nvr, name, peer)
        case.recorded(2)
        if in_mid_stream:
            begun = peer.set(switch_film="other", switch_after=1)
        else:
            begun = peer.set(film="other")
            peer.drop()
        wait_for("footage of the other film", lambda: any(row.start >= begun - 0.5 and row.end - row.start > 2 for row in case.rows()), 40)
        movies = case.finished()
        sizes = {(movie.video.codec, movie.video.width, movie.video.height) for movie in movies}
        names = {"h264": "h264", "h265": "hevc"}
        assert {(names[film.codec], film.width, film.height) for film in (first, other)} == sizes
        for movie in movies:
            film = first if movie.video.width == first.width and movie.video.codec == names[first.codec] else other
            assert follow(movie.fingerprints(), film.fingerprints) == "", movie.path.name


@scenario
def changes_resolution_in_mid_stream(nvr):
    changes(nvr, "new size", footage.counter(width=320, height=192, gop_seconds=1, bitrate="300k"), True)


@scenario
def changes_resolution_after_reconnect(nvr):
    changes(nvr, "new size later", footage.counter(width=320, height=192, gop_seconds=1, bitrate="300k"), False)


@scenario
def changes_codec_after_reconnect(nvr):
    changes(nvr, "new codec", footage.counter("h265", gop_seconds=1), False)


def sloppy(nvr, name, film=None, audio=None, seconds: float = 5, transport: str = "tcp", **behaviour):
    """An odd but honest camera: everything it sends is stored, by our own client."""
    film = film or small()
    with FaultCamera(film, audio, **behaviour) as peer:
        begun = time.time()
        case = Case(nvr, name, peer, record_audio=audio is not None, rtsp_transport=transport)
        case.recorded(seconds)
        # The camera may lag behind the clock, and the server behind the camera.
        wait_for("so many frames came", lambda: nvr.metric("vibenvr_stream_frames_total", camera=str(case.id)) >= seconds * 15)
        assert nvr.api.camera(case.id)["source"] == "rtsp"
        case.one_session()
        connections = peer.stats()["plays"]
        dropped = nvr.datagrams_dropped() if transport == "udp" and name.count("again") < 3 else 0
        movies = case.finished()
        if dropped:
            # This machine's own network dropped some, since the server stood still for too long: once more.
            return sloppy(nvr, f"{name}, again", film, audio, seconds, transport, **behaviour)
        peer.last_stats, peer.kept_waiting = peer.stats(), case.kept_waiting(begun, time.time())
        assert connections == 1, f"{connections} sessions instead of one"
        stored = [frame for movie in movies for frame in movie.fingerprints()]
        assert len(stored) >= (seconds - 1) * 15
        assert follow(stored, film.fingerprints) == ""
        for movie in movies:
            assert all(step > 0 for step in steps([packet.dts for packet in movie.video.packets]))
        return movies, peer


@scenario
def no_content_base(nvr):
    sloppy(nvr, "no content base", content_base="none")


@scenario
def wrong_content_base(nvr):
    sloppy(nvr, "wrong content base", content_base="wrong", control="absolute")


@scenario
def absolute_control(nvr):
    sloppy(nvr, "absolute control", control="absolute")


@scenario
def query_control(nvr):
    sloppy(nvr, "query control", control="query")


@scenario
def parameter_sets_only_in_band(nvr):
    sloppy(nvr, "sets in band", sets="band")


@scenario
def parameter_sets_only_in_the_sdp(nvr):
    sloppy(nvr, "sets in sdp", sets="sdp")


@scenario
def nonsense_in_the_sdp(nvr):
    sloppy(nvr, "wrong sdp", sets="wrong")


@scenario
def nonsense_in_the_sdp_h265(nvr):
    sloppy(nvr, "wrong sdp h265", footage.counter("h265", gop_seconds=1), sets="wrong")


@scenario
def aggregation_units(nvr):
    sloppy(nvr, "stap-a", aggregate=True)


@scenario
def aggregation_units_h265(nvr):
    sloppy(nvr, "ap", footage.counter("h265", gop_seconds=1), aggregate=True)


@scenario
def many_slices(nvr):
    sloppy(nvr, "slices", footage.counter(gop_seconds=1, slices=4))


def b_frames(nvr, name, codec):
    """Frames are stored as they come; from two seconds on they are shown in the order and at the pace in which they were seen."""
    film = footage.reordered(codec)
    places = dict(zip(film.fingerprints, film.order))
    with FaultCamera(film) as peer:
        case = Case(nvr, name, peer)
        case.recorded(7)
        assert nvr.api.camera(case.id)["source"] == "rtsp"
        assert nvr.api.put(f"/cameras/{case.id}", json={"is_active": False}).status_code == 200
        wait_for("the last file is closed", lambda: all(row.finished for row in case.rows()), 20)
        movies = [probe(row.path, "error") for row in case.rows()]
        assert peer.stats()["plays"] == 1
    assert follow([frame for movie in movies for frame in movie.fingerprints()], film.fingerprints) == ""
    for movie in movies:
        assert decode_errors(movie.path) == ""
        packets = movie.video.packets
        assert all(step > 0 for step in steps([packet.dts for packet in packets])) and all(packet.pts >= packet.dts for packet in packets)
        # How far the stream reorders is not known at its begin; the last pictures may refer to one that was not there yet.
        shown = sorted((packet.pts, frame) for packet, frame in zip(packets, movie.fingerprints()) if packet.pts >= packets[0].pts + 2)[:-3]
        seen = [places[frame] for _, frame in shown]
        assert len(seen) > 45 and seen == [(seen[0] + number) % len(places) for number in range(len(seen))], seen
        assert all(0.03 < step < 0.11 for step in steps([time for time, _ in shown])), movie.path.name


@scenario
def b_frames_h264(nvr):
    b_frames(nvr, "b-frames", "h264")


@scenario
def b_frames_h265(nvr):
    b_frames(nvr, "b-frames h265", "h265")


@scenario
def no_marker_bits(nvr):
    sloppy(nvr, "no markers", marker=False)


@scenario
def no_marker_bits_many_slices(nvr):
    sloppy(nvr, "no markers, slices", footage.counter(gop_seconds=1, slices=4), marker=False)


@scenario
def no_sender_reports(nvr):
    sloppy(nvr, "no reports", reports=False, audio=footage.sound("pcma"))


@scenario
def begins_in_the_middle_of_a_gop(nvr):
    sloppy(nvr, "late start", late_start=7)


@scenario
def frames_before_the_answer_to_play(nvr):
    sloppy(nvr, "early frames", answer_late=0.5)


@scenario
def frames_before_the_answer_to_play_udp(nvr):
    sloppy(nvr, "early frames, udp", answer_late=0.3, transport="udp")


@scenario
def comes_in_bursts(nvr):
    sloppy(nvr, "bursts", burst=1.5)


@scenario
def timestamps_wrap(nvr):
    sloppy(nvr, "wrap", first_timestamp=2**32 - 2 * 90000, first_sequence=65530)


def stamped(nvr, name, **behaviour):
    movies, peer = sloppy(nvr, name, seconds=6, **behaviour)
    for movie in movies:
        odd = [step for step in steps([packet.dts for packet in movie.video.packets]) if step > 0.5 + peer.kept_waiting]
        assert not odd, f"{movie.path.name}: steps of {odd}"


@scenario
def timestamps_jump_ahead(nvr):
    stamped(nvr, "jump ahead", jump_at=40, jump_by=90000 * 3600)


@scenario
def timestamps_jump_back(nvr):
    stamped(nvr, "jump back", jump_at=40, jump_by=-90000 * 2)


@scenario
def timestamps_of_another_rate(nvr):
    # The camera says 25 frames a second and sends 15: the files must last as long as the world did.
    movies, peer = sloppy(nvr, "wrong rate", seconds=12, stamp_fps=25, times=True)
    frames = sum(len(movie.video.packets) for movie in movies)
    length = sum(movie.video.end - movie.video.begin for movie in movies)
    sent = peer.last_stats["times"]
    world = sent[frames - 1][0] - sent[0][0] + 1 / 15
    assert abs(length - world) < 1.5 + peer.kept_waiting, f"{frames} frames in {length:.1f} s of {world:.1f}"


@scenario
def udp_reordered(nvr):
    sloppy(nvr, "udp reorder", transport="udp", reorder=0.05, seconds=8)


@scenario
def udp_loses_2_percent(nvr):
    film = footage.counter(gop_seconds=1, slices=4)
    with FaultCamera(film, loss=0.02, reorder=0.03, seed=3) as peer:
        case = Case(nvr, "udp loss", peer, rtsp_transport="udp")
        case.recorded(12)
        connections, dropped = peer.stats()["plays"], nvr.datagrams_dropped()
        lost_before = peer.stats()["lost"]
        lost = nvr.metric("vibenvr_stream_network_lost_total", camera=str(case.id))
        lost_after = peer.stats()["lost"]
        movies = case.finished()
        stats = peer.stats()
        stored = [frame for movie in movies for frame in movie.fingerprints()]
        source = film.fingerprints
        places = [source.index(frame) for frame in stored if frame in source]
        # It was recorded from the first turn of the film on; numbers go on over its end.
        whole = [places[0]]
        for place in places[1:]:
            whole.append(whole[-1] + ((place - whole[-1]) % len(source) or len(source)))
        untouched = set(range(whole[0], whole[-1] + 1)) - set(stats["damaged"])
        assert connections == 1, "loss is no reason to connect anew"
        assert stats["lost"] > 20
        # What this machine's own network dropped, since the server stood still for too long, touched some.
        assert len(untouched - set(whole)) <= dropped, f"whole frames missing: {sorted(untouched - set(whole))[:10]}"
        # A frame that comes twice or late would be most of a turn ahead.
        assert max(steps(whole)) < len(source) / 2, "out of order, or twice"
        # The newest losses may still wait for packets out of order.
        assert 0.7 * lost_before <= lost <= lost_after + 2 + dropped, f"{lost} counted of {lost_before} to {lost_after} lost"
        for movie in movies:
            assert all(step > 0 for step in steps([packet.dts for packet in movie.video.packets]))


@scenario
def udp_refused(nvr):
    # A camera without UDP answers 461: it is recorded over TCP, or the status says why not.
    with FaultCamera(small(), udp=False) as peer:
        case = Case(nvr, "no udp", peer, rtsp_transport="udp")

        def settled():
            camera = nvr.api.camera(case.id)
            return case.rows() or (camera["status"] == "UNREACHABLE" and camera["status_reason"])

        wait_for("recorded, or told why not", settled, 40)


@scenario
def redirect(nvr):
    with FaultCamera(small()) as real, FaultCamera(small()) as front:
        front.set(redirect=real.url())
        case = Case(nvr, "redirect", front)
        case.recorded(2)
        assert real.stats()["plays"] == 1


@scenario
def session_times_out_without_keepalive(nvr):
    with FaultCamera(small(), session_timeout=6, enforce_timeout=True) as peer:
        case = Case(nvr, "keep-alive", peer)
        case.recorded(18)
        stats = peer.stats()
        assert stats["plays"] == 1 and not stats.get("timed_out"), "the session was not kept alive"


@scenario
def keepalive_only_by_options(nvr):
    with FaultCamera(small(), session_timeout=6, enforce_timeout=True, keepalive=("OPTIONS",)) as peer:
        case = Case(nvr, "options", peer)
        case.recorded(18)
        stats = peer.stats()
        assert stats["plays"] == 1 and not stats.get("timed_out"), "the session was not kept alive"


@scenario
def digest_sha256(nvr):
    with FaultCamera(small(), auth="digest-sha256", user="viewer", password="pass") as peer:
        case = Case(nvr, "sha256", peer, login="viewer:pass")
        case.recorded(2)
        assert peer.stats().get("failed_logins", 0) == 0


@scenario
def rtsps_with_a_certificate_of_its_own(nvr):
    with FaultCamera(small(), tls=self_signed(nvr.folder / "tls"), auth="basic", user="viewer", password="pass") as peer:
        case = Case(nvr, "rtsps", peer, login="viewer:pass")
        case.recorded(3)
        movies = case.finished()
        assert follow([frame for movie in movies for frame in movie.fingerprints()], small().fingerprints) == ""


@scenario
def nobody_there(nvr):
    case_id = nvr.api.add_camera("nobody", f"rtsp://127.0.0.1:{free_port()}/main")
    wait_for("UNREACHABLE", lambda: nvr.api.status(case_id) == "UNREACHABLE", 20)
    camera = nvr.api.camera(case_id)
    assert camera["status_reason"] and camera["status_since"]


@scenario
def one_session_whoever_watches(nvr):
    """A recorder, five viewers asking for pictures, and snapshots: the camera sees one session per stream."""
    with FaultCamera(small(), sub=footage.counter(width=320, height=192, gop_seconds=1, bitrate="300k"), max_sessions=1) as peer:
        case = Case(nvr, "viewers", peer, sub_rtsp_url=peer.url("/sub"))
        case.recorded(1)
        end, pictures, bad = time.monotonic() + 8, 0, []
        while time.monotonic() < end or pictures <= 20 and not bad:
            for viewer in range(5):
                answer = nvr.api.get(f"/cameras/{case.id}/frame", params={"width": 320} if viewer % 2 else None)
                pictures += answer.status_code == 200
                if answer.status_code != 200:
                    bad.append(answer.status_code)
            assert nvr.api.post(f"/cameras/{case.id}/snapshot").status_code == 200
            time.sleep(0.2)
        stats = peer.stats()
        assert not bad, f"{pictures} pictures, refused {bad[:5]}"
        assert all(count <= 1 for count in stats["most_sessions"].values()), stats["most_sessions"]
        assert stats["most_open"] <= 2 and stats["plays"] <= 2, stats


@pytest.fixture(scope="module")
def outcomes(request):
    chosen = [item.callspec.params["name"] for item in request.session.items if item.module.__name__ == __name__]
    for film in (small(), footage.reordered(), footage.reordered("h265"), footage.counter("h265", gop_seconds=1), footage.counter(gop_seconds=1, slices=4), footage.counter()):
        film.units  # made before the clocks run
    footage.counter(width=320, height=192, gop_seconds=1, bitrate="300k")
    footage.sound("pcma")
    with NVR(segment_seconds=30) as nvr, Machine(nvr) as nvr.machine:
        nvr.cases = []
        nvr.start().with_admin()
        # A few at a time: each has a camera process and its own clock to keep on two cores.
        running = Outcomes({name: (lambda run=SCENARIOS[name]: run(nvr)) for name in chosen}, workers=16)
        yield running
        running.close()
        for case in nvr.cases:
            case.machine.close()
        assert nvr.running, "the server died"


@pytest.mark.parametrize("name", SCENARIOS)
def test_fault(outcomes, name):
    outcomes.of(name)
