// The live parts of a page: each element with `data-live` is fetched anew after so many seconds, while the page is seen,
// nobody types or reads in it, and it is not paused. Without this script a page is whole, and as new as its last load.
"use strict";
(() => {
  const parts = () => [...document.querySelectorAll("[data-live]")];
  const first = parts();
  const bar = document.getElementById("live");
  if (!first.length || !bar) return;
  const seconds = Math.max(1, Math.min(...first.map((part) => Number(part.dataset.live) || 5)));
  let paused = false;

  const button = document.createElement("button");
  button.type = "button";
  button.className = "plain";
  const status = document.createElement("span");
  status.setAttribute("role", "status");
  const show = (problem) => {
    button.textContent = paused ? "Resume" : "Pause";
    status.textContent = problem || (paused ? "Paused" : "Live");
    bar.classList.toggle("off", paused || Boolean(problem));
  };
  button.addEventListener("click", () => {
    paused = !paused;
    show();
    if (!paused) look();
  });
  bar.append(status, button);
  show();

  const isBusy = (part) => {
    const selection = document.getSelection();
    const selects = selection && !selection.isCollapsed && part.contains(selection.anchorNode);
    return selects || part.contains(document.activeElement);
  };

  const look = async () => {
    if (paused || document.hidden) return;
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(), 20000);
    try {
      const answer = await fetch(location.href, { signal: stop.signal, redirect: "error" });
      if (answer.status === 403) {
        paused = true;
        show("Logged out: reload the page");
        return;
      }
      if (!answer.ok) {
        show(`The host answers ${answer.status}`);
        return;
      }
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const part of parts()) {
        const other = fresh.getElementById(part.id);
        if (!other || isBusy(part) || paused) continue;
        const frame = part.querySelector(".tail");
        const follows = frame && frame.scrollTop + frame.clientHeight >= frame.scrollHeight - 8;
        const [top, left] = frame ? [frame.scrollTop, frame.scrollLeft] : [0, 0];
        part.replaceChildren(...other.childNodes);
        const next = part.querySelector(".tail");
        if (next) next.scrollTo(left, follows ? next.scrollHeight : top);
      }
      show();
    } catch {
      show("The host does not answer");
    } finally {
      clearTimeout(timer);
    }
  };

  for (const tail of document.querySelectorAll(".tail")) tail.scrollTo(0, tail.scrollHeight);
  const tick = async () => {
    await look();
    setTimeout(tick, seconds * 1000);
  };
  setTimeout(tick, seconds * 1000);
})();
