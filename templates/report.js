(function () {
  const { root, byId, dark, element, unpack, themed, buttons, drawPanels, onTrial, load } = page;
  const trials = JSON.parse(byId("trials").textContent);
  let figures = null;
  let selected = byId("details").dataset.trial;

  /* Copy and download */

  function say(button, text) {
    const before = button.dataset.label || button.textContent;
    button.dataset.label = before;
    button.textContent = text;
    byId("status").textContent = text;
    window.setTimeout(() => { button.textContent = before; }, 1600);
  }

  function copyByHand(text) {
    const area = element("textarea", text, "away");
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }

  async function copy(button) {
    const text = byId(button.dataset.copy).textContent;
    let done = false;
    try {
      await navigator.clipboard.writeText(text);
      done = true;
    } catch {
      done = copyByHand(text);
    }
    say(button, done ? "Copied" : "Select it and copy by hand");
  }

  function save(button, text, kind, file) {
    const link = element("a");
    link.href = URL.createObjectURL(new Blob([text], { type: kind }));
    link.download = file;
    document.body.append(link);
    link.click();
    link.remove();
    window.setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    say(button, "Saved");
  }

  /* Details of one trial */

  function fill(id, rows) {
    byId(id).replaceChildren(...rows.map((cells) => {
      const row = element("tr");
      row.append(...cells);
      return row;
    }));
  }

  function heading(text) {
    const cell = element("th", text);
    cell.scope = "row";
    return cell;
  }

  function show(number) {
    const trial = trials[number];
    if (!trial) return;
    selected = String(number);
    byId("details").dataset.trial = selected;
    byId("details-title").textContent = "Trial " + number + ": " + trial.words;
    byId("details-names").replaceChildren(
      ...trial.names.map((name) => element("li", name, "tag")),
      element("li", trial.state, "tag plain"),
    );
    byId("details-reason").textContent = trial.reason;
    byId("details-caveats").replaceChildren(...trial.caveats.map((text) => element("li", text)));
    const figures = [
      ...(trial.throughput ? [["throughput", trial.throughput]] : []),
      ...Object.entries(trial.latency).map(([metric, told]) => [metric + " latency", told[3]]),
      ...trial.facts,
    ];
    byId("details-figures-table").hidden = figures.length === 0;
    fill("details-figures", figures.map(([name, text]) => [heading(name), element("td", text)]));
    fill("details-settings", trial.settings.map(([name, asked, found, differs]) => [
      heading(name),
      element("td", asked),
      element("td", differs ? found + " ≠" : found, differs ? "differs" : ""),
    ]));
    byId("details-json").textContent = trial.json;
    byId("details-part").hidden = trial.deployable;
    byId("details-download").dataset.file = trial.file;
    document.querySelectorAll("tr.chosen").forEach((row) => row.classList.remove("chosen"));
    const chosen = document.querySelector('#all tr[data-trial="' + selected + '"]');
    if (chosen) chosen.classList.add("chosen");
    ring();
    drawTimeline();
  }

  /* Charts */

  function frontNow() {
    const figure = figures.front[byId("metric").value];
    const kind = byId("log").checked ? "log" : "linear";
    const layout = themed(figure.layout);
    /* The space before the number keeps Plotly from lowering labels that begin with 1. */
    const scale = { type: kind, tickformat: kind === "log" ? " ,.3~r" : "" };
    /* Few ticks, or every digit of a decade gets one and their labels run into each other. */
    layout.xaxis = { ...layout.xaxis, ...scale, nticks: kind === "log" ? 3 : 0 };
    layout.yaxis = { ...layout.yaxis, ...scale };
    const ringColour = layout.font.color;
    const data = figure.data.map((trace) => trace.name === "selected"
      ? { ...trace, ...placeOf(figure), marker: { ...trace.marker, color: ringColour } }
      : trace);
    return { data, layout };
  }

  function placeOf(figure) {
    for (const trace of figure.data) {
      const at = (trace.customdata || []).findIndex((number) => String(number) === ownerOf(selected));
      if (at >= 0) return { x: [trace.x[at]], y: [trace.y[at]] };
    }
    return { x: [], y: [] };
  }

  function ownerOf(number) {
    const shared = trials[number].shares;
    return String(shared === null ? number : shared);
  }

  async function drawFront() {
    const { data, layout } = frontNow();
    byId("front-note").textContent = figures.notes[byId("metric").value];
    await window.Plotly.react("front-plot", data, layout, buttons);
  }

  function ring() {
    if (root.classList.contains("drawn")) drawFront();
  }

  /* The first requests of the selected trial: lines in lanes, a gap after each, one trace for each colour. */

  async function drawTimeline() {
    if (!figures) return;
    const lanes = figures.lanes[ownerOf(selected)];
    byId("timeline").hidden = !lanes;
    byId("timeline-words").textContent = lanes ? lanes.words : "";
    if (!lanes) return;
    const { data, layout } = figures.timeline;
    const colours = data.length - 1;
    const drawn = data.slice(0, colours).map((trace) => ({ ...trace, x: [], y: [], text: [] }));
    lanes.begin.forEach((begin, i) => {
      const trace = drawn[lanes.batch[i] % colours];
      const end = lanes.end[i];
      const told = `request ${i + 1}, batch ${lanes.batch[i] + 1}: ${begin} to ${end} ms`;
      trace.x.push(begin, end, null);
      trace.y.push(lanes.lane[i] + 1, lanes.lane[i] + 1, null);
      trace.text.push(told, told, null);
    });
    const took = { ...data[colours], x: lanes.begin, y: lanes.begin.map((begin, i) => lanes.end[i] - begin) };
    const until = Math.max(...lanes.end);
    const served = lanes.served.map(([from, devices], i) => ({
      from, devices, to: i + 1 < lanes.served.length ? lanes.served[i + 1][0] : until,
    })).filter((one) => one.to > one.from);
    const shapes = served.map((one, i) => ({
      type: "rect", xref: "x", x0: one.from, x1: one.to, yref: "paper", y0: 0.93, y1: 1,
      fillcolor: data[i % colours].line.color, opacity: 0.35, line: { width: 0 },
      label: { text: one.devices.replace(/&/g, "&amp;").replace(/</g, "&lt;"), font: { size: 11 } },
    }));
    const count = Math.max(...lanes.lane) + 1;
    const apart = Math.ceil(count / 8);
    const yaxis = { ...layout.yaxis, tick0: 1, dtick: apart, range: [0.4, count + 0.6] };
    await window.Plotly.react("timeline-plot", [...drawn, took], { ...themed(layout), yaxis, shapes }, buttons);
  }

  async function draw() {
    figures = await load();
    await drawFront();
    await drawTimeline();
    await drawPanels(figures.panels);
    onTrial(show);
    byId("metric").addEventListener("change", drawFront);
    byId("log").addEventListener("change", drawFront);
    dark.addEventListener("change", () => { drawFront(); drawTimeline(); drawPanels(figures.panels); });
    root.dataset.ready = "yes";
  }

  /* The table of all trials */

  const table = byId("all");
  const body = table.tBodies[0];

  function value(row, column) {
    const cell = row.cells[column];
    if (cell.dataset.value === undefined) return cell.textContent.trim().toLowerCase();
    return cell.dataset.value === "" ? null : Number(cell.dataset.value);
  }

  function order(one, other) {
    return typeof one === "number" ? one - other : one.localeCompare(other);
  }

  function sort(column, heading) {
    const down = heading.getAttribute("aria-sort") === "ascending";
    const sign = down ? -1 : 1;
    const rows = Array.from(body.rows, (row) => ({ row, key: value(row, column) }));
    rows.sort((a, b) => {
      const empty = (key) => key === null || key === "";
      if (empty(a.key) || empty(b.key)) return empty(a.key) - empty(b.key);
      return sign * order(a.key, b.key);
    });
    body.append(...rows.map((entry) => entry.row));
    heading.parentNode.querySelectorAll("th").forEach((other) => other.removeAttribute("aria-sort"));
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
  }

  function wordsOf(text) {
    return text.toLowerCase().match(/[\p{L}\p{N}]+/gu) || [];
  }

  const isNumber = (word) => /^\p{N}+$/u.test(word);

  /* What is looked for: words, each with the numbers that follow it, as in "nireq 4". */
  function phrasesOf(text) {
    const phrases = [];
    for (const word of wordsOf(text)) {
      if (isNumber(word) && phrases.length) phrases.at(-1).push(word);
      else phrases.push([word]);
    }
    return phrases;
  }

  /* A word is found by its beginning, a number only whole: 1 is not 16. */
  function holds(words, phrase) {
    const same = (word, sought) => isNumber(sought) ? word === sought : word !== undefined && word.startsWith(sought);
    return words.some((_, i) => phrase.every((sought, k) => same(words[i + k], sought)));
  }

  /* Figures are not looked at: nearly any number stands in one of them. */
  function soughtIn(row) {
    const told = row.querySelectorAll(".words, .state, .doubts, .reason");
    return wordsOf([row.dataset.state, ...Array.from(told, (cell) => cell.textContent)].join(" "));
  }

  function filter() {
    const phrases = phrasesOf(byId("filter").value);
    let shown = 0;
    for (const row of body.rows) {
      const words = soughtIn(row);
      row.hidden = !phrases.every((phrase) => holds(words, phrase));
      shown += row.hidden ? 0 : 1;
    }
    byId("filter-count").textContent = shown + " of " + body.rows.length + " trials";
  }

  /* The column of latencies tells the metric that is chosen. */
  function showMetric() {
    const metric = byId("metric").value;
    const title = byId("latency-title");
    title.textContent = metric + " latency";
    title.closest("th").removeAttribute("aria-sort");
    for (const cell of body.querySelectorAll(".latency")) {
      const [value, text, range] = trials[cell.parentNode.dataset.trial].latency[metric];
      cell.dataset.value = value === null ? "" : value;
      cell.replaceChildren(
        element("span", text, value === null && text.includes("unavailable") ? "value none" : "value"),
        " ",
        element("span", range, "range"),
      );
    }
  }

  /* Beginning */

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.copy) copy(button);
    if (button.dataset.download) {
      save(button, byId(button.dataset.download).textContent, "application/json", button.dataset.file);
    }
    if (button.id === "csv") {
      unpack("sheet").then((text) => save(button, text, "text/csv", root.dataset.study + "-trials.csv"));
    }
    if (button.dataset.trial) {
      show(button.dataset.trial);
      byId("details").scrollIntoView({ block: "nearest" });
      byId("details-title").focus({ preventScroll: true });
    }
  });
  table.querySelectorAll("thead button").forEach((button) => {
    button.addEventListener("click", () => {
      const heading = button.closest("th");
      sort(heading.cellIndex, heading);
    });
  });
  byId("filter").addEventListener("input", filter);
  byId("metric").addEventListener("change", showMetric);
  filter();
  draw().catch((error) => {
    root.classList.remove("drawn");
    byId("front-note").textContent = "The interactive chart could not be drawn in this browser; this is the static one.";
    console.error(error);
  });
})();
