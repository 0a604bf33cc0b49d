"""The lab's page beside ConvNetJS in the same browser.

    npm pack convnetjs && tar xf convnetjs-*.tgz
    python benchmarks/lab_convnetjs.py [--convnetjs package/build/convnet.js] [--seconds 15] [--rounds 3]

Both train ConvNetJS's network for CIFAR-10. ConvNetJS trains in its page a picture at a time without drawing anything,
which its demonstration does besides: its most. The lab's page shows the maps of all layers while it trains. In turns;
the best round of each counts. Beside it how often the page can draw.
"""

from __future__ import annotations

import argparse
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np

import pellucid
from pellucid import lab, zoo
from pellucid.lab.prepare import prepare
from pellucid.lab.session import Command
from pellucid.ops import native

DATA, PICTURES = "cifar10", 200
TRAIN = """
async ([pictures, labels, batch, seconds]) => {
  const net = new convnetjs.Net();
  const conv = (filters) => ({ type: "conv", sx: 5, filters, stride: 1, pad: 2, activation: "relu" });
  const pool = { type: "pool", sx: 2, stride: 2 };
  const input = { type: "input", out_sx: 32, out_sy: 32, out_depth: 3 };
  net.makeLayers([input, conv(16), pool, conv(20), pool, conv(20), pool,
                  { type: "softmax", num_classes: 10 }]);
  const trainer = new convnetjs.SGDTrainer(net, { method: "adadelta", batch_size: batch, l2_decay: 0.0001 });
  const volumes = pictures.map((picture) => {
    const volume = new convnetjs.Vol(32, 32, 3, 0.0);
    picture.forEach((value, i) => { volume.w[i] = value / 255 - 0.5; });
    return volume;
  });
  let done = 0;
  const train = (end) => {
    for (done = 0; performance.now() < end; done += 1)
      trainer.train(volumes[done % volumes.length], labels[done % labels.length]);
  };
  train(performance.now() + 2000);
  const begun = performance.now();
  train(begun + 1000 * seconds);
  return 1000 * done / (performance.now() - begun);
}
"""


def in_browser(work: Any) -> Any:
    """work(page) in Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        try:
            return work(browser.new_page(viewport={"width": 1280, "height": 900}))
        finally:
            browser.close()


def convnetjs_speed(source: Path, train: Any, batch: int, seconds: float) -> float:
    """Pictures a second that ConvNetJS trains."""

    def work(page: Any) -> float:
        page.add_script_tag(content=source.read_text())
        pictures = np.asarray(train.images[:PICTURES]).reshape(PICTURES, -1).tolist()
        return float(page.evaluate(TRAIN, [pictures, [int(y) for y in train.labels[:PICTURES]], batch, seconds]))

    return in_browser(work)


def lab_speed(batch: int, seconds: float) -> tuple[float, float]:
    """Pictures a second that the lab trains while its page shows all maps, and frames a second that the page draws."""
    served = lab.show(zoo.convnetjs_cifar10(), DATA)

    def work(page: Any) -> tuple[float, float]:
        page.goto(served.url)
        page.wait_for_selector("#predictions-body .answer")
        served.session.obey(Command("set", "batch_size", batch))
        page.locator("#do-start").click()
        page.wait_for_timeout(4000)
        first, begun = served.session.snapshot["step"], time.perf_counter()
        frames = page.evaluate(
            """(seconds) => new Promise((resolve) => {
              let frames = 0; const begun = performance.now();
              const count = () => {
                frames += 1;
                if (performance.now() - begun < 1000 * seconds) requestAnimationFrame(count);
                else resolve(1000 * frames / (performance.now() - begun));
              };
              requestAnimationFrame(count);
            })""",
            seconds,
        )
        steps, passed = served.session.snapshot["step"] - first, time.perf_counter() - begun
        return batch * steps / passed, float(frames)

    try:
        return in_browser(work)
    finally:
        served.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--convnetjs", type=Path, help="convnet.js of its package")
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    train = prepare(zoo.convnetjs_cifar10(), DATA).dataset.train
    print(f"pellucid {pellucid.__version__}, {native.instruction_set()}")
    for batch in (4, 64):
        rounds: list[tuple[float, float, float]] = []
        for _ in range(options.rounds):
            ours, frames = lab_speed(batch, options.seconds)
            theirs = convnetjs_speed(options.convnetjs, train, batch, options.seconds) if options.convnetjs else 0.0
            rounds.append((ours, frames, theirs))
        ours, frames, theirs = (max(values) for values in zip(*rounds, strict=True))
        print(
            f"batch {batch}: the lab trains {ours:,.0f} pictures a second, its page draws {frames:.0f} times a second"
        )
        if theirs:
            print(f"batch {batch}: ConvNetJS trains {theirs:,.1f} pictures a second: {ours / theirs:,.0f} times")


if __name__ == "__main__":
    main()
