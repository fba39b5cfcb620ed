// Looks again at calls and queries: on request, and each time the app's frame has loaded, since it asks after this page.
async function lookAgain() {
  const shown = document.getElementById("calls");
  const link = shown?.querySelector("a[data-calls]");
  if (!link) return;
  try {
    const answer = await fetch(link.href, { credentials: "same-origin" });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("calls");
    if (!fresh) return;
    const focused = shown.contains(document.activeElement);
    shown.replaceWith(document.adoptNode(fresh));
    if (focused) fresh.querySelector("a[data-calls]").focus();
  } catch {
    // the list stays as it is, with the moment it is of; the link still opens it as a page
  }
}

document.addEventListener("click", event => {
  if (!event.target.closest("a[data-calls]")) return;
  event.preventDefault();
  lookAgain();
});

const frame = document.querySelector("iframe");
if (frame) {
  frame.addEventListener("load", lookAgain);
  lookAgain();
}
