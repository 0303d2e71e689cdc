"""The page in a real browser: no error in its console, every figure drawn, nothing wider than the window.
77 (skipped) only where there is no Chromium and none can be installed."""
from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import make_results as make

REPORT = Path(__file__).resolve().parents[1] / "report.py"
NAMES = ("chromium", "chromium-browser", "google-chrome")
FIGURES = 9

# Looks at the page from inside and leaves what it saw in the document, which --dump-dom prints.
PROBE = """
<script>
window.addEventListener("load", () => {
  const box = e => { const r = e.getBoundingClientRect(); return [r.width, r.height]; };
  const seen = {
    pictures: [...document.images].map(i => ({id: i.parentElement.id, done: i.complete, alt: i.alt.length,
                                              own: [i.naturalWidth, i.naturalHeight], shown: box(i)})),
    tables: [...document.querySelectorAll("table")].map(t => ({id: t.id, shown: box(t), rows: t.rows.length})),
    width: document.documentElement.scrollWidth, window: window.innerWidth,
  };
  const p = document.createElement("pre");
  p.id = "probe";
  p.textContent = JSON.stringify(seen);
  document.body.append(p);
});
</script>
"""


def browser() -> str | None:
    return next((path for path in map(shutil.which, NAMES) if path), None)


def opened(page: Path, profile: Path) -> tuple[dict, list[str]]:
    """What the probe saw, and the lines of the console."""
    done = subprocess.run(
        [browser(), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
         f"--user-data-dir={profile}", "--window-size=1280,2000", "--enable-logging=stderr",
         "--virtual-time-budget=10000", "--dump-dom", page.as_uri()],
        capture_output=True, text=True, timeout=240, check=False)
    if done.returncode != 0:
        raise AssertionError(f"the browser ended with {done.returncode}:\n{done.stderr[-2000:]}")
    probe = re.search(r'<pre id="probe">(.*?)</pre>', done.stdout, re.DOTALL)
    if not probe:
        raise AssertionError(f"the page did not load:\n{done.stdout[:500]}")
    return json.loads(html.unescape(probe[1])), re.findall(r"CONSOLE\S*\s.*", done.stderr)


class BrowserTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)
        make.write(cls.folder / "r.h5", make.full_rows(), make.op_rows(56) + make.op_rows(63),
                   [make.evaluation_row(20)])
        subprocess.run([sys.executable, REPORT, cls.folder / "r.h5", "--out", cls.folder], check=True,
                       capture_output=True)
        cls.page = (cls.folder / "report.html").read_text(encoding="utf-8")

    def look(self, page: str) -> tuple[dict, list[str]]:
        path = self.folder / "probed.html"
        path.write_text(page.replace("</body>", PROBE + "</body>"), encoding="utf-8")
        return opened(path, self.folder / "profile")

    def test_page(self) -> None:
        seen, console = self.look(self.page)
        self.assertEqual(console, [])
        self.assertLessEqual(seen["width"], seen["window"])
        self.assertEqual(len(seen["pictures"]), FIGURES)
        for p in seen["pictures"]:
            with self.subTest(figure=p["id"]):
                self.assertTrue(p["done"] and p["alt"])
                for least, own, shown in zip((300, 100), p["own"], p["shown"]):
                    self.assertGreater(own, least)
                    self.assertGreater(shown, least)
        self.assertGreater(len(seen["tables"]), 12)
        for t in seen["tables"]:
            self.assertTrue(t["rows"] > 1 and min(t["shown"]) > 0, t)

    def test_a_broken_page_is_seen(self) -> None:
        """What test_page looks for is found where it is: an error, pictures that are none, a table that is too wide."""
        broken = self.page.replace("data:image/svg+xml;base64,", "data:image/svg+xml;base64,AAAA", 1)
        broken = broken.replace("</main>", '<script>throw new Error("on purpose")</script>'
                                '<img src="none.png"><div style="width: 3000px">wide</div></main>')
        seen, console = self.look(broken)
        self.assertTrue(any("on purpose" in line for line in console), console)
        self.assertEqual(sum(p["own"] == [0, 0] for p in seen["pictures"]), 2)
        self.assertGreater(seen["width"], seen["window"])


if __name__ == "__main__":
    if not browser():
        print("no Chromium here; jobs/packages.sh --tests installs it on Debian, as root")
        sys.exit(77)
    unittest.main()
