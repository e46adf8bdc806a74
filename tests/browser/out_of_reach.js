/**
 * What of a page does not bear large text: a page wider than the screen, text that is cut off or leaves its box, and links
 * and buttons that cannot be pressed where they stand. Text may be cut where it scrolls or the title says the whole.
 */
() => {
  const wrong = [];
  const root = document.documentElement;
  const name = (it) => `${it.tagName.toLowerCase()} “${it.textContent.trim().slice(0, 40)}”`;
  const over = root.scrollWidth - root.clientWidth;
  if (over > 0) wrong.push(`the page is ${over} pixels too wide`);

  for (const it of document.querySelectorAll("header *, main *, footer *")) {
    const speaks = [...it.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
    if (!speaks || !it.checkVisibility() || it.closest(".visually-hidden, svg, select, [title]")) continue;
    const { display, overflowX, overflowY } = getComputedStyle(it);
    if (display === "inline" || ["auto", "scroll"].includes(overflowX)) continue;
    const wide = it.scrollWidth > it.clientWidth + 1;
    const high = overflowY !== "visible" && it.scrollHeight > it.clientHeight + 1;
    if (wide || high) wrong.push(`${name(it)} is cut`);
  }

  const pressed = ".site-nav a, .site-nav summary, main .button-primary, main .page-head .button";
  for (const it of document.querySelectorAll(pressed)) {
    if (!it.checkVisibility()) continue;
    it.scrollIntoView({ block: "center", behavior: "instant" });
    const box = it.getBoundingClientRect();
    const there = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
    if (!it.contains(there)) wrong.push(`${name(it)} is behind ${there ? name(there) : "the edge"}`);
  }
  scrollTo(0, 0);
  return wrong;
}
