"""A hand on the live page in a real browser: moves of a support point, and two clocks that time their curves."""

from typing import Any

WARM_UP = 5  # moves before those that count
# An independent clock: the time of the newest pointer event, and of the first frame after the watched curve changed.
WATCH = """
(pad) => {
  const clock = { moved: 0, drawn: [], gaps: [], last: 0 };
  window.innerloopClock = clock;
  const svg = pad.querySelector('svg.plot');
  svg.addEventListener('pointermove', (event) => { clock.moved = performance.now(); }, true);
  const curves = [...pad.querySelectorAll('.curve')];
  let queued = false;
  const seen = new MutationObserver(() => {
    if (queued) return;
    queued = true;
    requestAnimationFrame(() => {
      queued = false;
      const now = performance.now();
      clock.drawn.push(now - clock.moved);
      if (clock.last) clock.gaps.push(now - clock.last);
      clock.last = now;
    });
  });
  for (const curve of curves) seen.observe(curve, { attributes: true, attributeFilter: ['d'] });
}
"""
# A drag of the page's own events on every animation frame: no automation between two moves.
DRAG = """
(pad, { moves, id }) => new Promise((done) => {
  const svg = pad.querySelector('svg.plot');
  const disc = pad.querySelector('.point .disc').getBoundingClientRect();
  const at = { x: disc.x + disc.width / 2, y: disc.y + disc.height / 2 };
  let k = 0;
  const step = () => {
    k += 1;
    const where = { clientX: at.x + 30 * Math.sin(k / 6), clientY: at.y + 60 * Math.sin(k / 9), pointerId: id };
    svg.dispatchEvent(new PointerEvent('pointermove', { ...where, bubbles: true, isPrimary: true }));
    if (k < moves) requestAnimationFrame(step); else done();
  };
  requestAnimationFrame(step);
})
"""


def one_by_one(page: Any, moves: int) -> dict[str, list[float]]:
    """Moves one point with the mouse, each move awaited; milliseconds by both clocks."""
    pad = page.locator(".pad")
    box = page.locator(".point .disc").first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    own, watched = [], []
    for k in range(WARM_UP + moves):
        before = page.evaluate("() => window.innerloopClock.drawn.length")
        page.mouse.move(x + (7 * k) % 60 - 30, y + (11 * k) % 80 - 40 + 0.5 * (k % 2))
        page.wait_for_function("(n) => window.innerloopClock.drawn.length > n", arg=before, polling="raf")
        page.locator('.pad[data-busy="false"]').wait_for()
        own.append(float(pad.get_attribute("data-last-latency-ms")))
        watched.append(page.evaluate("(n) => window.innerloopClock.drawn[n]", before))
    page.mouse.up()
    page.locator('.pad[data-busy="false"]').wait_for()
    return {"own": own[WARM_UP:], "watched": watched[WARM_UP:]}


def continuous(page: Any, moves: int) -> dict[str, Any]:
    """A drag with a move on every frame: how often curves are redrawn, and how long after the last move."""
    pad = page.locator(".pad")
    box = page.locator(".point .disc").first.bounding_box()
    page.evaluate("() => Object.assign(window.innerloopClock, { drawn: [], gaps: [], last: 0 })")
    pad.evaluate(
        "(pad) => pad.querySelector('svg.plot').addEventListener('pointerdown', (e) => window.id = e.pointerId)"
    )
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    seq = int(pad.get_attribute("data-seq"))
    page.evaluate("window.id")
    pad.evaluate(DRAG, {"moves": moves, "id": page.evaluate("window.id")})
    page.locator('.pad[data-busy="false"]').wait_for()
    answers = int(pad.get_attribute("data-answer")) - seq
    last, gaps = float(pad.get_attribute("data-last-latency-ms")), page.evaluate("window.innerloopClock.gaps")
    page.mouse.up()
    return {"moves": moves, "answers": answers, "last_ms": last, "between_redraws": gaps}
