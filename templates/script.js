// Comforts for those who have scripts: nothing on the page needs them, and without them nothing is lost.
"use strict";
(() => {
  const page = "<!doctype html>\n" + document.documentElement.outerHTML; // as it came, before anything is added
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const make = (tag, properties = {}, text = "") => Object.assign(document.createElement(tag), { textContent: text }, properties);
  const button = (text, act, name = "") => {
    const made = make("button", { type: "button", className: name }, text);
    made.addEventListener("click", () => act(made));
    return made;
  };
  const save = (content, type, name) => {
    const url = URL.createObjectURL(new Blob([content], { type }));
    make("a", { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  };
  const stored = (key, value) => {
    try {
      if (value !== undefined) localStorage.setItem(key, value);
      return localStorage.getItem(key);
    } catch { return null; } // where storage is forbidden the choice lasts as long as the page
  };

  // Light or dark, by preference or by choice.
  const root = document.documentElement;
  const dark = () => (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const told = () => (dark() ? "Light colours" : "Dark colours");
  const chosen = stored("theme");
  if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;
  const theme = button(told(), (self) => {
    root.dataset.theme = dark() ? "light" : "dark";
    stored("theme", root.dataset.theme);
    self.textContent = told();
  });
  const keep = button("Save this page", () => save(page, "text/html", location.pathname.split("/").pop() || "index.html"));
  const tools = make("p", { className: "tools" });
  tools.append(theme, keep);
  document.querySelector("nav").append(tools);

  // The table of contents shows where the reader is.
  const links = new Map(all("nav a[href^='#']").map((link) => [link.hash.slice(1), link]));
  const seen = new Set();
  const follow = new IntersectionObserver((entries) => {
    for (const entry of entries) entry.isIntersecting ? seen.add(entry.target.id) : seen.delete(entry.target.id);
    const current = [...links.keys()].find((id) => seen.has(id));
    for (const [id, link] of links) id === current ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current");
  }, { rootMargin: "-20% 0px -60% 0px" });
  for (const id of links.keys()) follow.observe(document.getElementById(id));

  // A link to every section, figure and claim.
  for (const place of all("section[id], figure[id], .ledger > li[id]")) {
    const head = place.querySelector("h2, figcaption, .claim");
    const copy = button("Copy link", async (self) => {
      const link = new URL("#" + place.id, location.href).href;
      try { await navigator.clipboard.writeText(link); self.textContent = "Copied"; }
      catch { location.hash = place.id; self.textContent = "In the address bar"; }
      setTimeout(() => (self.textContent = "Copy link"), 2000);
    }, "copy");
    head.append(" ", copy);
  }

  // A figure and its numbers to take along, made from what is in the page.
  for (const figure of all("figure[id]")) {
    const name = figure.id.replace("figure-", "");
    const row = (line) => [...line.cells].map((cell) => '"' + cell.textContent.replaceAll('"', '""') + '"').join(",");
    const drawing = () => {
      const copy = figure.querySelector("svg").cloneNode(true);
      copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
      const painted = all("*", figure.querySelector("svg"));
      all("*", copy).forEach((mark, n) => {
        const style = getComputedStyle(painted[n]);
        for (const key of ["fill", "stroke", "font-family", "font-weight"]) mark.setAttribute(key, style.getPropertyValue(key));
      });
      return new XMLSerializer().serializeToString(copy);
    };
    const take = make("p", { className: "tools" });
    take.append(button("Save figure (SVG)", () => save(drawing(), "image/svg+xml", name + ".svg")));
    take.append(button("Save numbers (CSV)", () => save(all("tr", figure).map(row).join("\n") + "\n", "text/csv", name + ".csv")));
    figure.querySelector("details").append(take);
  }

  // The ledger, by verdict.
  const ledger = document.querySelector(".ledger");
  const verdict = (claim) => claim.querySelector(".verdict").textContent;
  const claims = all(":scope > li", ledger);
  claims.forEach((claim, n) => (claim.value = n + 1));
  const choices = make("p", { className: "tools" });
  const show = (wanted) => {
    for (const claim of claims) claim.hidden = wanted !== "" && verdict(claim) !== wanted;
    for (const choice of all("button[aria-pressed]", choices)) choice.setAttribute("aria-pressed", String(choice.value === wanted));
  };
  for (const wanted of ["", ...new Set(claims.map(verdict))]) {
    const count = claims.filter((claim) => wanted === "" || verdict(claim) === wanted).length;
    const choice = button((wanted || "all") + " " + count, () => show(wanted));
    choice.value = wanted;
    choice.setAttribute("aria-pressed", String(wanted === ""));
    choices.append(choice);
  }
  let sorted = false;
  choices.append(button("Sort by verdict", (self) => {
    sorted = !sorted;
    const order = [...claims].sort((a, b) => (sorted ? verdict(a).localeCompare(verdict(b)) : 0) || a.value - b.value);
    ledger.append(...order);
    self.textContent = sorted ? "Sort as in the article" : "Sort by verdict";
  }));
  ledger.before(choices);
  addEventListener("hashchange", () => location.hash.startsWith("#claim-") && show("")); // a hidden claim is shown when it is asked for
})();
