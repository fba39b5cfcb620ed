// Clears the page when the workspace has ended: on return to the tab and when the user has been away (H-03).
(() => {
  const root = document.documentElement;
  const alive = document.querySelector("[data-alive]")?.dataset.alive;
  if (!alive) return;
  const idle = Number(document.querySelector("[data-alive]").dataset.idleSeconds || 900) * 1000;
  let used = Date.now();
  const clear = () => {
    document.body.replaceChildren();
    document.title = "postcart";
    location.replace(alive.replace(/\/alive$/, ""));
  };
  const check = async () => {
    if (Date.now() - used >= idle) return clear();
    try {
      const answer = await fetch(alive, { cache: "no-store" });
      if (answer.status === 404 || answer.status === 410) clear();
    } catch {
      // no network: what is shown stays until the idle time is over
    }
  };
  for (const kind of ["pointerdown", "keydown", "scroll"]) {
    addEventListener(kind, () => { used = Date.now(); }, { passive: true, capture: true });
  }
  document.addEventListener("visibilitychange", () => { if (!document.hidden) check(); });
  addEventListener("pageshow", (event) => { if (event.persisted) check(); });
  setInterval(() => { if (Date.now() - used >= idle) clear(); }, 5000);
  root.dataset.watched = "1";
})();
