"""The HTML report: its data read back with the standard library, its page driven in a real Chromium."""

import base64
import html.parser
import io
import json
import os
import re
import select
import shutil
import subprocess
import sys
import time
from typing import ClassVar

import matplotlib
import numpy as np
import pytest
from PIL import Image

from dcgan_tf.layer_figures.report import Frame, save_report

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Page(html.parser.HTMLParser):
    """The text of each element by its tag, the attributes of all, and the embedded data."""

    def __init__(self, path):
        super().__init__()
        self.elements, self.text, self.data = [], {}, None
        self.feed(path.read_text(encoding="utf-8"))
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        if not self.elements:
            return
        tag, attrs = self.elements[-1]
        self.text[tag] = self.text.get(tag, "") + data
        if attrs.get("id") == "report" and tag == "script" and self.data is None:
            self.data = json.loads(data)


def networks_maps(seed, generator, discriminator):
    """Maps [h, w, n] of all stages; sides double or halve, with a dead map in every ReLU layer."""
    rng = np.random.default_rng(seed)
    maps = {}
    for i, (side, count) in enumerate(generator):
        x = maps[f"g/h{i}"] = rng.normal(size=(side, side, count)).astype(np.float32)
        if i == len(generator) - 1:
            maps[f"g/h{i}_tanh"] = np.tanh(x)
        else:
            x = maps[f"g/h{i}_bn"] = x * 2 - rng.normal(size=count).astype(np.float32)
            x[..., 1] = -np.abs(x[..., 1])
            maps[f"g/h{i}_relu"] = np.maximum(x, 0)
    for i, (side, count) in enumerate(discriminator):
        x = maps[f"d/h{i}"] = rng.normal(size=(side, side, count)).astype(np.float32)
        x[0, 0, 0] = -9  # larger than any positive value
        if i:
            x = maps[f"d/h{i}_bn"] = x * 0.5 + 0.1
        maps[f"d/h{i}_lrelu"] = np.maximum(x, np.float32(0.2) * x)
    return maps


def small_frame(seed, label="step 1"):
    rng = np.random.default_rng(seed)
    return Frame(
        label,
        networks_maps(seed, [(4, 12), (8, 6), (16, 3)], [(8, 6), (4, 12)]),
        {
            "g/output": rng.integers(0, 256, (16, 16, 3), np.uint8),
            "d/input": rng.integers(0, 256, (16, 16, 1), np.uint8),
        },
        {"g/input": f"z, seed {seed}", "d/output": "D(x) = 0.83"},
    )


class TestFile:
    def test_the_maps_can_be_read_back(self, tmp_path):
        frames = [small_frame(0, "step 1"), small_frame(1, "step 2")]
        frames[0].maps["g/h0"][..., 2] = 7.25  # one value everywhere
        frames[0].maps["g/h0"][0, 0, 3] = 1e30
        save_report(tmp_path / "report.html", "Title", "Subtitle", frames)
        data = Page(tmp_path / "report.html").data
        assert [frame["label"] for frame in data["frames"]] == ["step 1", "step 2"]
        for frame, read in zip(frames, data["frames"]):
            assert list(read["maps"]) == list(frame.maps)
            assert read["captions"] == frame.captions
            for name, maps in frame.maps.items():
                h, w, n = maps.shape
                levels = np.frombuffer(base64.b64decode(read["maps"][name]["levels"]), np.uint8).reshape(n, h, w)
                table = np.frombuffer(base64.b64decode(read["maps"][name]["table"]), "<f4").reshape(6, n)
                low, high = table[0].astype(float), table[1].astype(float)
                values = low[:, None, None] + levels * ((high - low) / 255)[:, None, None]
                exact = maps.astype(float)
                np.testing.assert_array_equal(low, exact.min((0, 1)))
                np.testing.assert_array_equal(high, exact.max((0, 1)))
                assert (np.abs(values.transpose(1, 2, 0) - exact) <= (high - low) * (1 / 510 + 1e-6)).all()
                np.testing.assert_allclose(table[2], exact.mean((0, 1)), rtol=1e-6, atol=1e-7)
                np.testing.assert_allclose(table[3], exact.std((0, 1)), rtol=1e-6, atol=1e-7)
                np.testing.assert_allclose(table[4], (exact == 0).mean((0, 1)), rtol=1e-6)
                rows, columns = np.divmod(table[5].astype(int), w)
                np.testing.assert_array_equal(exact[rows, columns, np.arange(n)], exact.max((0, 1)))
            for name, picture in frame.pictures.items():
                png = base64.b64decode(read["pictures"][name].removeprefix("data:image/png;base64,"))
                seen = np.array(Image.open(io.BytesIO(png)))
                np.testing.assert_array_equal(seen.reshape(picture.shape), picture)

    def test_stages_are_gathered_by_layer(self, tmp_path):
        maps = {
            name: np.zeros((2, 3, 4)) for name in ("g/h0", "g/h0_bn", "g/h0_relu", "g/h4_tanh", "d/a/b_c", "d/h0_lrelu")
        }
        save_report(tmp_path / "report.html", "", "", [Frame("", maps, {}, {})])
        generator, discriminator = Page(tmp_path / "report.html").data["networks"]
        assert [generator["title"], discriminator["title"]] == ["Generator", "Discriminator"]
        assert [(layer["name"], layer["shape"]) for layer in generator["layers"]] == [
            ("h0", [2, 3, 4]),
            ("h4", [2, 3, 4]),
        ]
        assert generator["layers"][0]["stages"] == [
            {"map": "g/h0", "label": "before batch norm"},
            {"map": "g/h0_bn", "label": "after batch norm"},
            {"map": "g/h0_relu", "label": "after activation"},
        ]
        assert [layer["name"] for layer in discriminator["layers"]] == ["a/b_c", "h0"]

    def test_the_articles_networks_at_ten_checkpoints(self, tmp_path):
        generator = [(4, 512), (8, 256), (16, 128), (32, 64), (64, 3)]
        maps = networks_maps(0, generator, [(32, 64), (16, 128), (8, 256), (4, 512)])
        picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)  # noise: PNG at its worst
        frames = [Frame(f"step {i}", maps, {"g/output": picture, "d/input": picture}, {}) for i in range(10)]
        save_report(tmp_path / "report.html", "Title", "Subtitle", frames)
        assert (tmp_path / "report.html").stat().st_size < 15e6

    def test_no_text_can_become_markup_or_code(self, tmp_path):
        attack = "</script></title><script>alert(1)</script><img src=x onerror=alert(1)>{{data}} \\1 &amp; \u2028 é"
        harmless = tmp_path / "harmless.html"
        save_report(harmless, "t", "s", [small_frame(0)], "n")
        frame = small_frame(0, attack)
        frame.captions["g/input"] = attack
        save_report(tmp_path / "report.html", attack, attack, [frame], attack)
        page = Page(tmp_path / "report.html")
        assert page.elements == Page(harmless).elements  # not one element or attribute more
        assert page.text["title"].strip() == page.text["h1"].strip() == attack
        assert attack in page.text["p"]
        assert page.data["frames"][0]["captions"]["g/input"] == page.data["frames"][0]["label"] == attack

    def test_the_page_asks_the_network_for_nothing(self, tmp_path):
        save_report(tmp_path / "report.html", "t", "s", [small_frame(0)])
        page = Page(tmp_path / "report.html")
        assert {tag for tag, attrs in page.elements if {"src", "href", "srcset"} & set(attrs)} == set()
        assert not re.search(r"https?://|url\(|@import|fetch\(", (tmp_path / "report.html").read_text(encoding="utf-8"))
        (policy,) = (attrs["content"] for tag, attrs in page.elements if attrs.get("http-equiv"))
        assert "default-src 'none'" in policy

    @pytest.mark.parametrize(
        "frames, words",
        [
            ([], "at least one frame"),
            ([Frame("a", {}, {}, {})], "at least one map"),
            ([Frame("a", {"g/h0": np.array([[[1.0, np.nan]]])}, {}, {})], "not finite"),
            ([Frame("a", {"g/h0": np.array([[[1.0, np.inf]]])}, {}, {})], "not finite"),
            ([Frame("a", {"g/h0": np.array([[[1e39]]])}, {}, {})], "not finite"),
            ([Frame("a", {"g/h0": np.zeros((2, 2))}, {}, {})], r"shape \(2, 2\)"),
            ([Frame("a", {"g/h0": np.zeros((2, 2, 0))}, {}, {})], "each at least 1"),
            ([Frame("a", {"h0": np.zeros((2, 2, 1))}, {}, {})], "network/layer"),
            ([Frame("a", {"g/h0": np.zeros((2, 2, 1)), "g/h0_bn": np.zeros((2, 2, 3))}, {}, {})], "differ in shape"),
            ([Frame("a", {"g/h0": np.zeros((2, 2, n))}, {}, {}) for n in (1, 2)], "frame 'a' differ"),
            ([Frame("a", {name: np.zeros((2, 2, 1))}, {}, {}) for name in ("g/h0", "g/h1")], "frame 'a' differ"),
            ([Frame("a", {"g/h0": np.zeros((2, 2, 1))}, {"g/output": np.zeros((2, 2, 3))}, {})], "float64"),
            ([Frame("a", {"g/h0": np.zeros((2, 2, 1))}, {"g/output": np.zeros((2, 2, 4), np.uint8)}, {})], "1 or 3"),
        ],
    )
    def test_bad_input_is_refused(self, tmp_path, frames, words):
        with pytest.raises(ValueError, match=words):
            save_report(tmp_path / "report.html", "t", "s", frames)
        assert list(tmp_path.iterdir()) == []


class Browser:
    """One tab of a headless Chromium, over the DevTools protocol on two pipes: JSON, a zero byte after each message."""

    KEYS: ClassVar = {"Enter": 13, "Escape": 27, " ": 32, "End": 35, "Home": 36, "Tab": 9}
    KEYS |= {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}

    def __init__(self, profile):
        commands_in, self.commands = os.pipe()
        self.answers, answers_out = os.pipe()
        flags = ["--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
        flags += ["--disable-component-update", "--disable-sync", "--hide-scrollbars", "--disable-dev-shm-usage"]
        flags += ["--no-sandbox"] if os.getuid() == 0 else []
        # Chromium reads commands from descriptor 3 and answers on 4; by way of 100 and 101, as either may be taken.
        move = "import os, sys; r, w = map(int, sys.argv[1:3]); os.dup2(r, 100); os.dup2(w, 101); os.dup2(100, 3)"
        move += "; os.dup2(101, 4); os.execv(sys.argv[3], sys.argv[3:])"
        self.process = subprocess.Popen(
            [sys.executable, "-c", move, str(commands_in), str(answers_out), CHROMIUM, *flags]
            + ["--remote-debugging-pipe", f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(commands_in, answers_out),
            stderr=subprocess.DEVNULL,
        )
        os.close(commands_in)
        os.close(answers_out)
        self.count, self.buffer, self.session, self.complaints, self.loaded = 0, b"", None, [], False
        self.requests = []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def send(self, method, **params):
        """The result of one command; what happens meanwhile is noted."""
        self.count += 1
        message = {"id": self.count, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == self.count:
                assert "error" not in answer, (method, answer["error"])
                return answer["result"]

    def receive(self, seconds=30):
        while b"\0" not in self.buffer:
            assert select.select([self.answers], [], [], seconds)[0], "the browser does not answer"
            part = os.read(self.answers, 1 << 20)
            assert part, "the browser has ended"
            self.buffer += part
        message, self.buffer = self.buffer.split(b"\0", 1)
        message = json.loads(message)
        event, params = message.get("method"), message.get("params", {})
        if event in ("Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled"):
            self.complaints.append(params)
        self.loaded |= event == "Page.loadEventFired"
        if event == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        return message

    def open(self, path, width=1400, height=1000, scheme="light"):
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.complaints, self.requests, self.loaded = [], [], False
        self.send("Page.navigate", url=path.as_uri())
        while not self.loaded:
            self.receive()

    def run(self, code):
        """The value of a JavaScript expression."""
        result = self.send("Runtime.evaluate", expression=code, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def click(self, selector):
        """A real click of the mouse in the middle of the element."""
        x, y = self.run(
            f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
            "e.scrollIntoView({block: 'center'}); const r = e.getBoundingClientRect();"
            "return [r.x + r.width / 2, r.y + r.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def press(self, *keys):
        for key in keys:
            text = {"Enter": {"text": "\r"}, " ": {"text": " "}}.get(key, {})
            code = {"key": key, "code": "Space" if key == " " else key, "windowsVirtualKeyCode": self.KEYS[key]}
            self.send("Input.dispatchKeyEvent", type="keyDown", **code, **text)
            self.send("Input.dispatchKeyEvent", type="keyUp", **code)
        self.run("new Promise((done) => setTimeout(done, 30))")  # a dialog tells of its closing a moment later

    def pixels(self, selector):
        """A canvas as uint8 [H, W, 3]."""
        width, height, values = self.run(
            f"(() => {{ const c = document.querySelector({json.dumps(selector)});"
            # A copy, as reading the page's own canvas again and again would be remarked upon in the console.
            "const copy = new OffscreenCanvas(c.width, c.height).getContext('2d', {willReadFrequently: true});"
            "copy.drawImage(c, 0, 0); const d = copy.getImageData(0, 0, c.width, c.height).data;"
            "return [c.width, c.height, Array.from(d)]; })()"
        )
        return np.array(values, np.uint8).reshape(height, width, 4)[..., :3]

    def screenshot(self, path):
        path.write_bytes(base64.b64decode(self.send("Page.captureScreenshot")["data"]))

    def close(self):
        self.process.terminate()
        self.process.wait(20)
        os.close(self.commands)
        os.close(self.answers)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if not CHROMIUM:
        pytest.skip("needs Chromium or Chrome on the PATH")
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


FRAMES = [small_frame(0, "step 1,000"), small_frame(1, "step 2,000")]


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    save_report(path, "What the layers do " + "x" * 200, "subtitle/" + "y" * 200, FRAMES, "notes/" + "z" * 200)
    return path


@pytest.fixture
def page(browser, report):
    """The report, opened anew; whatever a test does, the console stays empty and the network is asked for nothing."""
    browser.open(report)
    yield browser
    assert browser.complaints == []
    assert {url.partition(":")[0] for url in browser.requests} <= {"file", "data"}


def layer_button(network, i):
    return f"#networks section:nth-of-type({'gd'.index(network) + 1}) li:nth-child({i + 2}) button"  # 1 is the input


def open_stage(page, name, scaling="map"):
    """Opens the layer of map `name` at that stage."""
    network, layer = name.split("/")
    page.click(layer_button(network, int(layer[1])))
    page.click(f"input[value='{name}']")
    page.click(f"input[value={scaling}]")


def colorize(values, low, high, scaling):
    """The colours of values as uint8, worked out from matplotlib's tables: magma, and RdBu made white in the middle."""
    count = 11 if scaling == "signed" else 9
    stops = matplotlib.colormaps["RdBu_r" if scaling == "signed" else "magma"](np.linspace(0, 1, count))[:, :3]
    if scaling == "signed":
        stops[count // 2] = 1
    t = (values.astype(float) - low) / (high - low)
    return np.stack([np.interp(t, np.linspace(0, 1, count), 255 * stops[:, c]) for c in range(3)], -1)


def number(text):
    return float(text.replace("−", "-"))


def statistics(page):
    terms, values = page.run("['dt', 'dd'].map((tag) => [...document.querySelectorAll(tag)].map((e) => e.textContent))")
    return dict(zip(terms, values))


def focused(page):
    return page.run("document.activeElement.dataset.channel ?? document.activeElement.id")


class TestPage:
    def test_overview(self, page):
        names, shapes = (
            page.run(f"[...document.querySelectorAll('#networks button')].map((e) => {what})")
            for what in ("e.querySelector('strong').textContent", "e.textContent")
        )
        assert names == ["h0", "h1", "h2", "h0", "h1"]
        for text, shape in zip(shapes, ["4×4 × 12", "8×8 × 6", "16×16 × 3", "8×8 × 6", "4×4 × 12"]):
            assert shape in text
        ends = page.run("[...document.querySelectorAll('.end')].map((e) => e.textContent)")
        assert ends == ["inputz, seed 1", "output", "input", "outputD(x) = 0.83"]
        images = "[...document.querySelectorAll('.end img')].filter((e) => !e.hidden)"
        assert page.run(f"{images}.map((e) => [e.naturalWidth, e.alt])") == [
            [16, "Generator, output at step 2,000"],
            [16, "Discriminator, input at step 2,000"],
        ]
        page.click(".map")
        nameless = "canvas:not([aria-label], [aria-hidden], .map[aria-label] canvas, #history canvas)"
        assert page.run(f"document.querySelectorAll({nameless!r}).length") == 0

    def test_a_layer_shows_all_its_maps(self, page):
        for name in ("g/h0", "g/h1", "g/h2", "d/h0", "d/h1"):
            page.click(layer_button(name[0], int(name[-1])))
            assert page.run("document.querySelectorAll('#grid canvas').length") == FRAMES[0].maps[name].shape[-1]
            stages = page.run("[...document.querySelectorAll('input[name=stage]')].map((e) => e.value)")
            assert stages == [other for other in FRAMES[0].maps if re.fullmatch(rf"{name}(_.*)?", other)]

    @pytest.mark.parametrize("scaling", ["map", "layer", "signed"])
    @pytest.mark.parametrize("name", ["g/h0_bn", "g/h0_relu", "g/h2_tanh", "d/h0"])
    def test_colours(self, page, name, scaling):
        maps = FRAMES[-1].maps[name]
        open_stage(page, name, scaling)
        for channel in range(maps.shape[-1]):
            values = maps[..., channel]
            low, high = {
                "map": (values.min(), values.max()),
                "layer": (maps.min(), maps.max()),
                "signed": (-np.abs(maps).max(), np.abs(maps).max()),
            }[scaling]
            seen = page.pixels(f".map[data-channel='{channel}'] canvas")
            expected = colorize(values, low, high, scaling) if high > low else np.broadcast_to([0, 0, 4], seen.shape)
            # 8 bits are 1/510 of the range off, the table of colours as much again, at up to 900 levels a range.
            np.testing.assert_allclose(seen, expected, atol=6)
        if scaling != "map":
            ends = page.run("[...document.querySelectorAll('#scale span')].map((e) => e.textContent)")
            assert number(ends[0]) == pytest.approx(float(low), rel=5e-4)
            assert number(ends[-1]) == pytest.approx(float(high), rel=5e-4)
        if scaling == "signed":
            assert ends[1] == "0"
            zeros = np.argwhere(maps == 0)
            for row, column, channel in zeros[:20]:
                assert (page.pixels(f".map[data-channel='{channel}'] canvas")[row, column] == 255).all()

    @pytest.mark.parametrize("name", ["g/h1_relu", "d/h1_bn"])
    def test_statistics(self, page, name):
        open_stage(page, name)
        for channel in range(3):
            values = FRAMES[-1].maps[name][..., channel].astype(float)
            page.click(f".map[data-channel='{channel}']")
            shown = statistics(page)
            assert number(shown["Minimum"]) == pytest.approx(values.min(), rel=5e-4)
            assert number(shown["Maximum"]) == pytest.approx(values.max(), rel=5e-4)
            assert number(shown["Mean"]) == pytest.approx(values.mean(), rel=5e-4, abs=1e-7)
            assert number(shown["Standard deviation"]) == pytest.approx(values.std(), rel=5e-4)
            assert number(shown["Zeros"].removesuffix(" %")) == pytest.approx(100 * (values == 0).mean(), rel=5e-4)
            row, column = map(int, re.findall(r"\d+", shown["Strongest at"]))
            assert values[row, column] == values.max()
            assert shown["Channel"].split()[0] == str(channel)
            assert shown["Dead"].startswith("yes" if np.ptp(values) == 0 else "no")
            large = page.pixels("#large")
            np.testing.assert_array_equal(large, page.pixels(f".map[data-channel='{channel}'] canvas"))
            side = page.run("document.querySelector('#large').getBoundingClientRect().width")
            assert side % values.shape[1] == 0 and side > values.shape[1]
            page.press("Escape")

    def test_dead_maps_are_marked_and_counted(self, page):
        open_stage(page, "g/h0_relu")
        dead = np.flatnonzero(np.ptp(FRAMES[-1].maps["g/h0_relu"], axis=(0, 1)) == 0)
        assert 1 in dead  # made so
        marked = page.run("[...document.querySelectorAll('.map.dead')].map((e) => Number(e.dataset.channel))")
        np.testing.assert_array_equal(marked, dead)
        assert f"{len(dead)} dead" in page.run("document.querySelector('#layer-facts').textContent")
        assert page.run("document.querySelector('.map.dead').ariaLabel") == f"map {dead[0]}, dead"

    def test_order_by_energy(self, page):
        open_stage(page, "d/h1_lrelu")
        page.click("input[value=energy]")
        order = page.run("[...document.querySelectorAll('.map')].map((e) => Number(e.dataset.channel))")
        energy = (FRAMES[-1].maps["d/h1_lrelu"].astype(float) ** 2).mean((0, 1))
        np.testing.assert_array_equal(order, np.argsort(-energy))
        seen = page.pixels(".map:first-child canvas")
        strongest = FRAMES[-1].maps["d/h1_lrelu"][..., np.argmax(energy)]
        np.testing.assert_allclose(seen, colorize(strongest, strongest.min(), strongest.max(), "map"), atol=6)

    def test_checkpoints(self, page):
        open_stage(page, "g/h1")
        page.run("document.querySelector('#slider').focus()")
        for key, frame in (("Home", FRAMES[0]), ("ArrowRight", FRAMES[1]), ("ArrowLeft", FRAMES[0])):
            page.press(key)
            assert page.run("document.querySelector('#label').textContent") == frame.label
            assert page.run("document.querySelector('#slider').getAttribute('aria-valuetext')") == frame.label
            assert frame.label in page.run("document.querySelector('#news').textContent")
            values = frame.maps["g/h1"][..., 2]
            expected = colorize(values, values.min(), values.max(), "map")
            np.testing.assert_allclose(page.pixels(".map[data-channel='2'] canvas"), expected, atol=6)
            png = page.run("document.querySelector('#networks img:not([hidden])').src").partition(",")[2]
            picture = Image.open(io.BytesIO(base64.b64decode(png)))
            np.testing.assert_array_equal(np.array(picture), frame.pictures["g/output"])
            assert page.run("document.querySelector('.end').textContent") == "input" + frame.captions["g/input"]

    def test_one_map_at_every_checkpoint(self, page):
        open_stage(page, "g/h1")
        page.click("input[value=energy]")
        orders = [np.argsort(-(frame.maps["g/h1"].astype(float) ** 2).mean((0, 1))) for frame in FRAMES]
        place = int(np.flatnonzero(orders[0] != orders[1])[0])  # where another map stands at the other checkpoint
        page.click(f".map:nth-child({place + 1})")
        channel = int(statistics(page)["Channel"].split()[0])
        assert channel == orders[1][place]
        for i, frame in enumerate(FRAMES):
            values = frame.maps["g/h1"][..., channel]
            expected = colorize(values, values.min(), values.max(), "map")
            np.testing.assert_allclose(page.pixels(f"#history button:nth-child({i + 1}) canvas"), expected, atol=6)
        page.click("#history button:first-child")
        # The same map, though by energy it stands elsewhere now; and so the arrows go on from there.
        assert statistics(page)["Channel"].split()[0] == str(channel)
        minimum = FRAMES[0].maps["g/h1"][..., channel].min()
        assert number(statistics(page)["Minimum"]) == pytest.approx(minimum, rel=5e-4)
        page.press("ArrowRight")
        following = np.roll(orders[0], -1)[orders[0] == channel][0]
        assert statistics(page)["Channel"].split()[0] == str(following)

    def test_play(self, page):
        label = "document.querySelector('#label').textContent"
        page.click("#play")
        assert (page.run(label), page.run("document.querySelector('#play').textContent")) == ("step 1,000", "Pause")
        end = time.monotonic() + 10
        while page.run(label) != "step 2,000" and time.monotonic() < end:
            time.sleep(0.1)
        assert (page.run(label), page.run("document.querySelector('#play').textContent")) == ("step 2,000", "Play")

    @pytest.mark.parametrize("key", ["Enter", " "])
    def test_keyboard(self, page, key):
        page.run(f"document.querySelector({layer_button('g', 0)!r}).focus()")
        page.press(key)
        assert focused(page) == "0"
        page.press("ArrowRight", "ArrowRight", "ArrowLeft")
        assert focused(page) == "1"
        columns = page.run("getComputedStyle(document.querySelector('#grid')).gridTemplateColumns.split(' ').length")
        page.press("ArrowDown")
        assert focused(page) == str(1 + columns if 1 + columns < 12 else 1)
        page.press("End")
        assert focused(page) == "11"
        page.press("ArrowRight", "ArrowDown")
        assert focused(page) == "11"  # there is no further map
        page.press("Home", "ArrowLeft")
        assert focused(page) == "0"
        assert page.run("document.querySelectorAll('.map[tabindex=\"0\"]').length") == 1
        page.press(key)
        assert page.run("document.querySelector('#map').open")
        page.press("ArrowRight", "ArrowDown", "ArrowLeft")
        assert statistics(page)["Channel"].split()[0] == "1"
        page.press("Escape")
        assert not page.run("document.querySelector('#map').open")
        assert focused(page) == "1"
        page.press("Escape")
        assert page.run("document.querySelector('#layer').hidden")
        assert page.run(f"document.activeElement === document.querySelector({layer_button('g', 0)!r})")

    def test_everything_is_within_reach_of_tab(self, page):
        stops, seen = page.run("document.querySelectorAll('#networks button').length"), []
        for _ in range(stops + 8):
            page.press("Tab")
            seen.append(page.run("(e => e.id || e.name || e.className)(document.activeElement)"))
        assert seen[:2] == ["play", "slider"]
        assert seen[2 : 2 + stops] == ["node"] * stops
        assert seen[2 + stops : 7 + stops] == ["close-layer", "stage", "scaling", "order", "map"]

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    @pytest.mark.parametrize("width, height", [(360, 800), (1400, 1000)])
    def test_fits_and_can_be_read(self, page, report, width, height, scheme):
        page.open(report, width, height, scheme)
        fits = "document.documentElement.scrollWidth <= innerWidth && document.documentElement.scrollWidth"
        assert page.run(fits) == width
        page.click(layer_button("d", 0))
        assert page.run(fits) == width
        top = page.run("document.querySelector('#layer-title').getBoundingClientRect().top")
        assert 0 < top < height / 2  # also on a phone, where it stands below both networks
        for selector in ("h1", ".quiet", "#layer-title", "legend", ".node strong", "#play"):
            text, ground = page.run(
                f"(() => {{ let e = document.querySelector({selector!r}); const color = getComputedStyle(e).color;"
                "while (getComputedStyle(e).backgroundColor === 'rgba(0, 0, 0, 0)') e = e.parentElement;"
                "return [color, getComputedStyle(e).backgroundColor]; })()"
            )
            light, dark = sorted((luminance(text), luminance(ground)), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, selector  # WCAG 2.2, 1.4.3
            assert (luminance(ground) < 0.2) == (scheme == "dark")
        page.click(".map")
        inside = "(e => e.scrollWidth <= e.clientWidth && e.getBoundingClientRect().right <= innerWidth)"
        assert page.run(f"{inside}(document.querySelector('#map'))")
        assert page.run(fits) == width

    def test_a_single_frame_without_pictures(self, page, tmp_path):
        maps = {"g/h0": np.full((1, 1, 1), 3.0), "g/h1": np.zeros((5, 3, 1100)), "other/x": np.full((2, 2, 2), -1.0)}
        save_report(tmp_path / "report.html", "t", "s", [Frame("step 1", maps, {}, {})])
        page.open(tmp_path / "report.html")
        assert not page.run("document.querySelector('#slider')")
        page.click("#networks section:nth-of-type(1) li:nth-child(2) button")
        assert page.run("document.querySelectorAll('.map.dead').length") == 1100
        for scaling, colour in (("map", [0, 0, 4]), ("layer", [0, 0, 4]), ("signed", [255, 255, 255])):
            page.click(f"input[value={scaling}]")
            assert page.pixels(".map canvas").tolist() == [[colour] * 3] * 5
        page.click("#networks section:nth-of-type(2) button")
        page.click(".map")
        assert page.run("document.querySelector('#history-part').hidden")
        assert page.run("document.querySelector('#peak').hidden")

    def test_hostile_text_stays_text_and_the_network_stays_shut(self, browser, tmp_path):
        attack = "</script><script>window.broken = true</script><img src=x onerror='window.broken = true'>"
        frame = small_frame(0, attack)
        frame.captions["g/input"] = frame.captions["d/h0"] = attack
        save_report(tmp_path / "report.html", attack, attack, [frame, frame], attack)
        browser.open(tmp_path / "report.html")
        browser.click(".map")
        assert browser.run("window.broken") is None
        assert browser.complaints == []
        assert attack in browser.run("document.querySelector('.end').textContent")
        assert browser.run("document.querySelector('h1').textContent") == attack
        assert browser.run("fetch('https://example.org').then(() => 'sent', () => 'refused')") == "refused"
        reasons = [entry["entry"]["text"] for entry in browser.complaints if "entry" in entry]
        assert any("Content Security Policy" in reason for reason in reasons)


def luminance(colour):
    """WCAG's relative luminance of a colour such as "rgb(31, 35, 40)"."""
    rgb = np.array([int(part) for part in re.findall(r"\d+", colour)[:3]]) / 255
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]
