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
  const words = (element) => element.textContent.trim();
  const touch = matchMedia("(hover: none)").matches;
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
  const file = async () => { // the very bytes, where a browser lets a page read them
    try { return location.protocol === "file:" ? page : await (await fetch(location.href)).text(); }
    catch { return page; }
  };
  const keep = button("Save this page", async () => save(await file(), "text/html", location.pathname.split("/").pop() || "index.html"));
  const unfold = button("Unfold everything", (self) => { // to print or search it
    const open = self.textContent === "Unfold everything";
    for (const details of all("main details")) details.open = open;
    self.textContent = open ? "Fold up again" : "Unfold everything";
  });
  const tools = make("p", { className: "tools" });
  tools.append(theme, unfold, keep);
  const contents = document.querySelector("nav details"); // a line on a phone; unfolded where there is room
  contents.append(tools);
  contents.open = matchMedia("(min-width: 82rem)").matches;

  // The table of contents shows where the reader is.
  const links = new Map(all("nav a[href^='#']").map((link) => [link.hash.slice(1), link]));
  const seen = new Set();
  const follow = new IntersectionObserver((entries) => {
    for (const entry of entries) entry.isIntersecting ? seen.add(entry.target.id) : seen.delete(entry.target.id);
    const current = [...links.keys()].find((id) => seen.has(id));
    for (const [id, link] of links) id === current ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current");
  }, { rootMargin: "-20% 0px -60% 0px" });
  for (const id of links.keys()) follow.observe(document.getElementById(id));

  // A link to every section and claim; a figure's stands in the line below it.
  const linkTo = (place) => button("Copy link", async (self) => {
    const link = new URL("#" + place.id, location.href).href;
    try { await navigator.clipboard.writeText(link); self.textContent = "Copied"; }
    catch { location.hash = place.id; self.textContent = "In the address bar"; }
    setTimeout(() => (self.textContent = "Copy link"), 2000);
  }, "quiet");
  for (const section of all("section[id]")) section.querySelector("h1, h2").append(linkTo(section));
  for (const claim of all(".ledger .parts[id]")) claim.querySelector(".places").append(" ", linkTo(claim));

  // For a projector.
  const enlarge = (place) => {
    const made = button("Full screen", () => document.fullscreenElement ? document.exitFullscreen() : place.requestFullscreen(), "quiet enlarge");
    place.addEventListener("fullscreenchange", () => (made.textContent = document.fullscreenElement === place ? "Close" : "Full screen"));
    return made;
  };
  if (document.fullscreenEnabled) {
    for (const details of all("figure[id] > .data{% if live %}, #try > details{% endif %}")) details.before(enlarge(details.parentElement));
  }

  // The article's program with a change of ours, which is shown as lines to take out and to put in.
  const changed = (program, lines) => {
    for (const line of lines) {
      const text = line.textContent.slice(1);
      program = line.matches("del") ? program.replace("\n\0", "").replace(text, "\0") : program.replace("\0", text + "\n\0");
    }
    return program.replace("\n\0", "");
  };
  const program = document.querySelector(".source pre")?.textContent;
  for (const change of all("#code pre")) {
    const copy = button("Copy the whole program", async (self) => {
      try { await navigator.clipboard.writeText(changed(program, all("del, ins", change))); self.textContent = "Copied"; }
      catch { self.textContent = "Your browser forbids it"; }
      setTimeout(() => (self.textContent = "Copy the whole program"), 2000);
    }, "quiet");
    change.after(copy);
  }

  // A figure and its numbers to take along, made from what is in the page; a picture only where the site has one.
  const drawing = (svg) => {
    const copy = svg.cloneNode(true);
    copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
    const painted = all("*", svg);
    all("*", copy).forEach((mark, n) => {
      const style = getComputedStyle(painted[n]);
      for (const key of ["fill", "stroke", "font-family", "font-weight"]) mark.setAttribute(key, style.getPropertyValue(key));
    });
    return new XMLSerializer().serializeToString(copy);
  };
  const stacked = ([first, ...rest]) => { // one below the other
    if (!rest.length) return drawing(first);
    let { width, height } = first.viewBox.baseVal, below = "";
    for (const svg of rest) {
      below += drawing(svg).replace("<svg", `<svg y="${height}" height="${svg.viewBox.baseVal.height}"`);
      height += svg.viewBox.baseVal.height;
    }
    return drawing(first).replace(/viewBox="[^"]*"/, `viewBox="0 0 ${width} ${height}"`).replace(/<.svg>$/, below + "$&");
  };
  const csv = (cells) => cells.map((cell) => '"' + cell.replaceAll('"', '""') + '"').join(",");
  const table = (figure) => { // its head and its rows; a cell that reaches over several rows is in each of them
    const rows = all("tr", figure), filled = rows.map(() => []);
    rows.forEach((row, at) => [...row.cells].forEach((cell) => {
      const column = [...filled[at], undefined].indexOf(undefined);
      for (let below = 0; below < cell.rowSpan; below += 1) filled[at + below][column] = words(cell);
    }));
    return filled;
  };
  const lastOf = (figure) => figure.querySelector(".states, .panels") || figure.querySelector("svg");
  for (const figure of all("figure[id]")) {
    const name = figure.id.replace("figure-", "");
    const visible = () => all("svg", figure).filter((svg) => getComputedStyle(svg).visibility !== "hidden");
    const take = make("p", { className: "tools" });
    take.append(linkTo(figure));
    take.append(button("Save SVG", () => save(stacked(visible()), "image/svg+xml", name + ".svg"), "quiet"));
    take.append(button("Save CSV", () => save(table(figure).map(csv).join("\n") + "\n", "text/csv", name + ".csv"), "quiet"));
    if (location.protocol !== "file:") take.append(make("a", { href: "figures/" + name + ".png", download: name + ".png" }, "PNG"));
    figure.querySelector(".data > summary").after(take);
  }

  // The exact values of a mark, on pointer or with the arrow keys: the row of the table that it is tied to.
  for (const [number, figure] of all("figure[id]").entries()) {
    const [heads, ...rows] = table(figure);
    const rest = number ? "" : touch ? "Tap a mark for its exact values." : "Point at a mark, or use the arrow keys, for its exact values."; // once is enough
    const told = make("p", { className: "told" }, rest);
    told.setAttribute("role", "status");
    lastOf(figure).after(told);
    let current;
    const show = (mark) => {
      if (mark === current) return;
      current?.classList.remove("on");
      mark?.classList.add("on");
      const cells = mark ? rows[mark.dataset.row] : [];
      told.textContent = cells.map((cell, n) => heads[n] + ": " + cell).join(" · ") || rest;
      current = mark;
    };
    // Of several marks under the pointer the nearest one counts, and where there is none, the nearest one around it.
    const nearest = (event, candidates, most) => {
      const away = (mark) => {
        const box = mark.getBoundingClientRect();
        return Math.hypot(box.x + box.width / 2 - event.clientX, box.y + box.height / 2 - event.clientY);
      };
      const near = candidates.map((mark) => [away(mark), mark]).filter(([pixels]) => pixels < most);
      return near.sort((a, b) => a[0] - b[0])[0]?.[1];
    };
    for (const svg of all("svg", figure)) {
      const marks = all("[data-row]", svg);
      const pointed = (event) => {
        const under = document.elementsFromPoint(event.clientX, event.clientY).map((place) => place.closest("[data-row]"));
        show(nearest(event, under.filter((mark) => marks.includes(mark)), Infinity) || nearest(event, marks, touch ? 44 : 24));
      };
      for (const type of ["pointermove", "pointerdown"]) svg.addEventListener(type, pointed);
      svg.addEventListener("pointerleave", () => show());
      svg.addEventListener("blur", () => show());
      svg.addEventListener("focus", () => svg.matches(":focus-visible") && show(current || marks[0])); // by keyboard, not by a finger
      svg.addEventListener("keydown", (event) => {
        const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
        if (!step) return;
        event.preventDefault();
        show(marks[(marks.indexOf(current) + step + marks.length) % marks.length]);
      });
      if (marks.length) svg.setAttribute("tabindex", "0");
    }
  }

  // The marks of all claims: what is pointed at is quoted below them. For those who hear it, it is in the link's title.
  const cells = document.querySelector(".cells");
  const hint = (touch ? "Tap" : "Point at") + " a number to read the claim.";
  const quoted = make("p", { className: "told" }, hint);
  quoted.setAttribute("aria-hidden", "true");
  cells.parentElement.append(quoted);
  const quote = (link) => { // the claim, and below it what each of its verdicts rests on
    quoted.textContent = words(link.firstChild) + " “" + link.title + "”";
    const reasons = make("span"), marks = all("svg", link);
    for (const reason of all(".value > span", document.querySelector(link.hash).closest(".claim"))) {
      reasons.append(marks[+!reason.querySelector(".stated")].cloneNode(true), reason.lastChild.textContent + " ");
    }
    quoted.append(reasons);
  };
  for (const type of ["pointerover", "focusin", "pointerout", "focusout"]) {
    cells.addEventListener(type, (event) => {
      const link = /over|in$/.test(type) && event.target.closest("a");
      link ? quote(link) : quoted.textContent = hint;
    });
  }

  // The ledger: found by words, shown by verdict and by topic.
  const ledger = document.querySelector(".ledger");
  const claims = all(".claim", ledger);
  const text = (claim, place) => claim.querySelector(place)?.lastChild.textContent.replace(/^, .*/, "").trim() ?? "";
  const shown = make("span");
  shown.setAttribute("role", "status");
  const labelled = (name, control) => {
    const label = make("label", {}, name + " ");
    label.append(control);
    return label;
  };
  const search = make("input", { type: "search" });
  const places = [["As the article puts it", ".stated .verdict"], ["The reason, or in general", ".general .verdict"], ["Topic", ".topic"]];
  const filters = places.map(([name, place]) => {
    const choice = make("select");
    const values = [...new Set(claims.map((claim) => text(claim, place)))].filter(Boolean).sort();
    choice.append(make("option", { value: "" }, "all"), ...values.map((value) => make("option", { value }, value)));
    const label = labelled(name, choice);
    label.hidden = !values.length;
    return { choice, place, label };
  });
  const filter = () => {
    const wanted = search.value.trim().toLowerCase();
    for (const claim of claims) claim.hidden = !claim.textContent.toLowerCase().includes(wanted) ||
      filters.some(({ choice, place }) => choice.value && choice.value !== text(claim, place));
    shown.textContent = claims.filter((claim) => !claim.hidden).length + " of " + claims.length + " claims shown";
  };
  const choices = make("p", { className: "tools filters" });
  choices.append(labelled("Search", search), ...filters.map(({ label }) => label), shown);
  choices.addEventListener("input", filter);
  ledger.before(choices);

  // What is linked to is shown, whatever it is folded in or hidden by.
  const reveal = () => {
    const place = location.hash && document.getElementById(location.hash.slice(1));
    if (!place) return;
    if (place.closest(".claim")?.hidden) {
      search.value = "";
      for (const { choice } of filters) choice.value = "";
      filter();
    }
    for (let around = place.closest("details:not([open])"); around; around = around.parentElement.closest("details:not([open])")) around.open = true;
    (place.closest(".claim") || place).scrollIntoView();
  };
  addEventListener("hashchange", reveal);
  for (const link of all("main a[href^='#']")) link.addEventListener("click", () => setTimeout(reveal));
  if (location.hash) reveal();
})();{% if live %}{% include "try.js" %}{% endif %}
