
// Try it: the networks of this page answer what is drawn. Until they are unpacked, or where they cannot be, the picture
// that came with the page stays. Nothing is stored or sent.
(async () => {
  const still = document.querySelector(".try.still");
  if (!still || !("DecompressionStream" in window)) return;
  const data = (id) => JSON.parse(document.getElementById(id).textContent);
  const { pixels, networks, contested } = data("networks");
  const { labels, others, digits, letters, blend, opening, flips } = data("drawings");
  const bytes = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));

  // ---- the networks: see experiments/live/packing.py

  const SIDE = 28;
  const [OCTAVE, LEFT_OUT] = [4, -128];
  const softmax = (sums) => {
    const most = Math.max(...sums);
    const powers = sums.map((sum) => Math.exp(sum - most));
    const whole = powers.reduce((a, b) => a + b);
    return powers.map((power) => power / whole);
  };
  const functions = {
    linear: (sums) => sums, tanh: (sums) => sums.map(Math.tanh), relu: (sums) => sums.map((sum) => Math.max(sum, 0)), softmax,
  };
  const unpack = async (text) => {
    const stream = new Blob([bytes(text)]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
    return new DataView(await new Response(stream).arrayBuffer());
  };
  const load = async ({ weights, units, hidden, output }, first) => {
    const content = await unpack(weights);
    let place = 0;
    const code = () => content.getInt8(place++);
    const float = () => content.getFloat32((place += 4) - 4, true);
    const layers = units.map((count, depth) => ({
      inputs: depth ? Array.from({ length: units[depth - 1] }, code) : first,
      units: Array.from({ length: count }, code),
      bias: Float64Array.from({ length: count }, float),
      finish: functions[[...hidden, output][depth]],
    }));
    for (const layer of layers) {
      const steps = layer.inputs.flatMap((input) => layer.units.map((unit) => input + unit)); // exponents of the weights
      layer.kernel = new Float64Array(steps.length);
      const finestFirst = [...steps.keys()].sort((a, b) => steps[a] - steps[b]);
      for (const weight of finestFirst) layer.kernel[weight] = code() * 2 ** (steps[weight] / OCTAVE);
    }
    if (place !== content.byteLength) throw new Error("other weights than the layers need");
    return (image) => layers.reduce(answer, kept.map((pixel) => image[pixel]));
  };
  const answer = (inputs, { bias, kernel, finish }) => {
    const sums = bias.slice();
    inputs.forEach((input, index) => {
      if (!input) return; // most pixels are white
      for (let unit = 0; unit < sums.length; unit++) sums[unit] += input * kernel[index * sums.length + unit];
    });
    return finish(sums);
  };
  const kept = [];
  let asked;
  try {
    const exponents = [...new Int8Array((await unpack(pixels)).buffer)];
    exponents.forEach((exponent, pixel) => exponent === LEFT_OUT || kept.push(pixel));
    asked = await Promise.all(networks.map((network) => load(network, kept.map((pixel) => exponents[pixel]))));
  } catch { return; }

  // ---- strokes → an image: see experiments/live/strokes.py. A stroke is [x0, y0, x1, y1, …].

  const [BOX, RADIUS, CENTRE] = [20, 1.25, 14];
  const moved = (strokes, scale, across, down) =>
    strokes.map((stroke) => stroke.map((value, n) => value * scale + (n % 2 ? down : across)));
  const fit = (strokes) => {
    const ends = [0, 1].map((axis) => {
      const values = strokes.flatMap((stroke) => stroke.filter((_, n) => n % 2 === axis));
      return [Math.min(...values), Math.max(...values)];
    });
    const size = Math.max(...ends.map(([low, high]) => high - low));
    const scale = size ? (BOX - 2 * RADIUS) / size : 1;
    return moved(strokes, scale, ...ends.map(([low, high]) => CENTRE - scale * (low + high) / 2));
  };
  const ink = (strokes) => {
    const image = new Float64Array(SIDE * SIDE);
    for (const stroke of strokes) {
      for (let n = 0; n === 0 || n + 3 < stroke.length; n += 2) {
        const [x, y, endX = x, endY = y] = stroke.slice(n, n + 4);
        const [dx, dy] = [endX - x, endY - y];
        const length = dx * dx + dy * dy || 1;
        const range = (a, b) => [Math.max(0, Math.floor(Math.min(a, b) - 2)), Math.min(SIDE - 1, Math.ceil(Math.max(a, b) + 2))];
        const [[left, right], [top, bottom]] = [range(x, endX), range(y, endY)];
        for (let row = top; row <= bottom; row++) {
          for (let column = left; column <= right; column++) {
            const part = Math.min(1, Math.max(0, ((column - x) * dx + (row - y) * dy) / length));
            const away = Math.hypot(column - x - part * dx, row - y - part * dy);
            const covered = Math.min(1, RADIUS + 0.5 - away);
            if (covered > image[row * SIDE + column]) image[row * SIDE + column] = covered;
          }
        }
      }
    }
    return image;
  };
  const image = (strokes) => {
    const placed = fit(strokes);
    let [mass, across, down] = [0, 0, 0];
    ink(placed).forEach((value, pixel) => {
      mass += value;
      across += value * (pixel % SIDE);
      down += value * Math.floor(pixel / SIDE);
    });
    return ink(moved(placed, 1, CENTRE - across / mass, CENTRE - down / mass));
  };
  const section = document.getElementById("try");
  Object.assign(section, { image, ask: (pixels) => asked.map((network) => [...network(pixels)]) }); // for the curious

  // ---- what is shown: the picture that came with the page, made live

  const make = (tag, attributes = {}, ...inner) => {
    const made = /^(svg|path|circle|line|text)$/.test(tag) ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...inner);
    return made;
  };
  const path = (stroke) => make("path", { d: "M" + stroke.slice(0, 2).join(" ") + "L" + (stroke.length > 2 ? stroke.slice(2) : stroke).join(" ") });
  const live = still.cloneNode(true);
  const find = (selector, root = live) => root.querySelector(selector);
  live.classList.replace("still", "live");
  still.classList.add("t-printed");
  still.removeAttribute("id"); // a link to it leads to the live one
  find(".t-lone").remove();
  const [pad, seen, status, see] = [".t-pad", ".t-seen", ".t-status", ".t-see"].map((selector) => find(selector));
  status.setAttribute("role", "status");
  seen.setAttribute("aria-hidden", "true");
  const shown = [...live.querySelectorAll(".t-net")].map((net) => ({
    answer: find(".t-answer > :last-child", net), names: [...net.querySelectorAll(".t-bars > text:not(.t-tick)")],
    bars: [...net.querySelectorAll("rect")], values: [...net.querySelectorAll("li")],
  }));
  const axis = [...live.querySelectorAll(".t-net:first-child .t-tick")].map((tick) => parseFloat(tick.getAttribute("x")));
  const across = (value) => axis[1] + (axis[2] - axis[1]) * Math.min(1.05, Math.max(-1.05, value));
  const largest = (outputs) => outputs.indexOf(Math.max(...outputs));
  const signed = (value) => value.toFixed(2).replace("-", "−");

  const showNetwork = ({ answer, names, bars, values }, outputs, isOdd) => {
    const top = outputs ? largest(outputs) : -1;
    answer.textContent = outputs ? top : "–";
    answer.classList.toggle("t-odd", isOdd);
    bars.forEach((bar, digit) => {
      const [from, to] = [across(0), across(outputs ? outputs[digit] : 0)].sort((a, b) => a - b);
      bar.setAttribute("x", from.toFixed(2) + "%");
      bar.setAttribute("width", (to - from).toFixed(2) + "%");
      for (const mark of [bar, names[digit]]) mark.classList.toggle("t-top", digit === top);
      values[digit].textContent = digit + ": " + (outputs ? signed(outputs[digit]) : "none");
    });
  };
  const oddOne = (answers) => answers.length < 3 ? -1 : answers.findIndex((answer, n) => {
    const rest = new Set(answers.filter((_, other) => other !== n));
    return rest.size === 1 && !rest.has(answer);
  });
  const reading = (answers) => {
    if (new Set(answers).size === 1 && answers.length > 1) return "All read " + answers[0] + ".";
    const odd = oddOne(answers);
    if (odd >= 0) return `${labels[odd]} reads ${answers[odd]}; ${others} read ${answers.at(odd - 1)}.`;
    return [...new Set(answers)].map((digit) => {
      const names = labels.filter((_, n) => answers[n] === digit);
      return names.join(" and ") + (names.length === 1 ? " reads " : " read ") + digit;
    }).join("; ") + ".";
  };
  const say = (text) => { if (status.textContent !== text) status.textContent = text; };
  let strokes = [];
  let verdict = reading; // of the answers and the outputs
  let own = false; // whether the strokes are the reader's, who goes on drawing them
  let down = false; // the pen
  const cursor = make("circle", { cx: 50, cy: 50, r: 5 });
  const show = () => {
    pad.replaceChildren(...strokes.map(path), cursor);
    const pixels = strokes.length ? image(strokes) : new Float64Array(SIDE * SIDE);
    const outputs = strokes.length ? asked.map((network) => [...network(pixels)]) : [];
    const answers = outputs.map(largest);
    shown.forEach((place, n) => showNetwork(place, outputs[n], n === oddOne(answers)));
    const shades = Array.from({ length: 5 }, () => "");
    pixels.forEach((value, pixel) => { if (value > 0) shades[Math.ceil(value * 5) - 1] += `M${pixel % SIDE} ${Math.floor(pixel / SIDE)}h1v1h-1z`; });
    [...seen.children].forEach((layer, n) => layer.setAttribute("d", shades[n]));
    say(strokes.length ? verdict(answers, outputs) : "Draw a digit.");
  };

  // ---- what is ready to draw, and the slider

  const chips = [];
  const slider = make("input", { type: "range", min: 0, max: 40 });
  const choose = (drawing, chip, words = reading) => {
    [strokes, verdict, own, down] = [drawing, words, false, false];
    for (const other of chips) other.setAttribute("aria-pressed", String(other === chip));
    show();
  };
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const trace = () => { // what is ready draws itself, a stroke after the other
    const lines = calm.matches ? [] : [...pad.querySelectorAll("path")];
    lines.forEach((line, n) => {
      line.setAttribute("pathLength", 1);
      line.animate({ strokeDasharray: ["1 2", "1 2"], strokeDashoffset: [1.1, 0] }, { duration: 350 / lines.length, delay: 350 * n / lines.length, fill: "backwards" });
    });
  };
  const rest = (end) => { // the slider, at 0 or 1; at 0, too, where what is shown isn't of its making
    slider.value = end < 0 ? 0 : end * slider.max;
    slider.setAttribute("aria-valuetext", end < 0 ? "not in use" : 100 * end + " % of the way to " + blend[1]);
  };
  const chip = (name, drawing, words) => {
    const made = make("button", { type: "button", class: "t-chip", "aria-label": name, "aria-pressed": "false" },
      make("svg", { viewBox: "0 0 100 100", "aria-hidden": "true" }, ...drawing.map(path)));
    made.addEventListener("click", () => {
      rest(blend.indexOf(digits.indexOf(drawing)));
      choose(drawing, made, words);
      trace();
    });
    chips.push(made);
    return made;
  };
  const group = (title, made) => make("fieldset", {}, make("legend", {}, title), make("div", {}, ...made));
  const drawnAs = ({ digit }) => (answers) => reading(answers) + " It was drawn as " + digit + ".";
  const disputed = contested.map((one) => chip("a " + one.digit + " that they read differently", one.strokes, drawnAs(one)));
  const plain = digits.map((drawing, digit) => chip(String(digit), drawing));
  const noDigit = (answers, most) => { // within a tenth of the way to the target of a right class is almost sure
    const sure = networks.findIndex(({ low_target, high_target }, n) => most[n] > high_target - 0.1 * (high_target - low_target));
    const none = most.findIndex((value) => value <= 0);
    if (sure < 0 || none < 0) return reading(answers) + " No digit, but none has an output for that.";
    return `No digit, yet ${labels[sure]} is almost sure it is a ${answers[sure]}; ${labels[none]} has no output above 0.`;
  };
  const noDigits = Object.entries(letters).map(([name, drawing]) =>
    chip(name, drawing, (answers, outputs) => noDigit(answers, outputs.map((values) => Math.max(...values)))));
  const ready = make("div", { class: "t-ready" }, ...(disputed.length ? [group("They disagree", disputed)] : []),
    group("Not a digit", noDigits), group("Ready-made", plain));
  const [first, last] = blend.map((digit) => digits[digit]);
  const between = (part) => first.map((stroke, n) => stroke.map((value, k) => value + part * (last[n][k] - value)));
  // The middle of the slider's way is for what lies around the places where networks change their answers.
  const places = flips.map(([part]) => part);
  const ways = [[0, 0], [0.2, Math.max(0.01, Math.min(...places, 0.9) - 0.1)], [0.8, Math.min(0.99, Math.max(...places, 0.1) + 0.1)], [1, 1]];
  const along = (value, from, to) => {
    const n = Math.max(1, ways.findIndex((way) => value <= way[from]));
    const [a, b] = [ways[n - 1], ways[n]];
    return a[to] + (b[to] - a[to]) * (value - a[from]) / (b[from] - a[from]);
  };
  const slide = () => {
    const part = along(slider.value / slider.max, 0, 1);
    slider.setAttribute("aria-valuetext", Math.round(100 * part) + " % of the way to " + blend[1]);
    choose(between(part), { 0: plain[blend[0]], 1: plain[blend[1]] }[part]);
  };
  slider.addEventListener("input", slide);
  // Words of the first tick end at it, those of the last begin there; between them they are in lines of their own.
  const flipped = flips.flatMap(([part, network, digit], n) => {
    const x = (100 * along(part, 1, 0)).toFixed(1) + "%";
    const [net, isLast] = ["net-" + (network + 1), n > 0 && n === flips.length - 1];
    return [make("line", { class: net, x1: x, x2: x, y1: 0, y2: 14 }),
      make("text", { class: net, x, dx: isLast ? 6 : -6, y: (isLast ? 1 : 1 + 1.2 * n) + "em", "text-anchor": isLast ? "start" : "end" },
        labels[network] + " says " + digit + " from here")];
  });
  const blended = make("label", { class: "t-blend" }, make("span", { class: "unseen" }, "From a " + blend[0] + " to a " + blend[1]),
    make("span", { "aria-hidden": "true" }, blend[0]), slider, make("span", { "aria-hidden": "true" }, blend[1]),
    make("svg", { class: "t-flips", "aria-hidden": "true" }, ...flipped));

  // ---- drawing by pointer and by keyboard

  const erase = () => {
    rest(-1);
    choose([], null);
    own = true;
  };
  const begin = () => {
    if (!own) erase();
    strokes = [...strokes, []];
    down = true;
  };
  const draw = (x, y) => {
    const stroke = strokes.at(-1);
    if (stroke.length && Math.hypot(x - stroke.at(-2), y - stroke.at(-1)) < 1) return;
    stroke.push(Math.round(10 * x) / 10, Math.round(10 * y) / 10);
  };
  const inside = (value) => Math.min(97, Math.max(3, value));
  const put = (x, y) => {
    cursor.setAttribute("cx", inside(x));
    cursor.setAttribute("cy", inside(y));
    if (down) draw(inside(x), inside(y));
  };
  const pointed = (event) => {
    const box = pad.getBoundingClientRect();
    const places = event.getCoalescedEvents?.() ?? [];
    for (const { clientX, clientY } of places.length ? places : [event]) {
      put(100 * (clientX - box.left) / box.width, 100 * (clientY - box.top) / box.height);
    }
    show();
  };
  pad.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    pad.setPointerCapture(event.pointerId);
    begin();
    pointed(event);
  });
  pad.addEventListener("pointermove", (event) => { if (pad.hasPointerCapture(event.pointerId)) pointed(event); });
  for (const type of ["pointerup", "pointercancel"]) pad.addEventListener(type, () => { down = false; });
  const press = {
    " ": () => {
      if (down) down = false;
      else begin(), step(0, 0);
      say("Pen " + (down ? "down. " : "up. ") + status.textContent);
    },
    Delete: erase,
    Backspace: erase,
  };
  const step = (across, along) => {
    put(Number(cursor.getAttribute("cx")) + across, Number(cursor.getAttribute("cy")) + along);
    if (down) show();
  };
  const steps = { ArrowLeft: [-4, 0], ArrowRight: [4, 0], ArrowUp: [0, -4], ArrowDown: [0, 4] };
  pad.addEventListener("keydown", (event) => {
    const act = press[event.key] ?? (steps[event.key] && (() => step(...steps[event.key])));
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
    cursor.classList.toggle("t-down", down);
  });
  for (const [name, value] of Object.entries({ tabindex: 0, role: "application", "aria-label": "Pad to draw on", "aria-describedby": "t-help" })) pad.setAttribute(name, value);
  const eraser = make("button", { type: "button", class: "t-erase" }, "Erase");
  eraser.addEventListener("click", erase);
  see.after(eraser);
  find(".t-nets").after(ready, blended);
  live.append(make("p", { class: "t-help", id: "t-help" }, (matchMedia("(pointer: coarse)").matches ? "Draw with your finger. " : "Draw with a pointer. By keyboard, in the pad: arrows move, space puts the pen down or lifts it, Delete erases. ")
    + "Ticks below the slider: where a network changes its answer."));
  rest(opening === null ? 0 : -1);
  if (opening === null) choose(digits[blend[0]], plain[blend[0]]);
  else choose(contested[opening].strokes, disputed[opening], drawnAs(contested[opening]));
  still.after(live);
  performance.mark("networks"); // when they began to answer
})();
