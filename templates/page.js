"use strict";
/* What every page with charts needs. */
const page = (function () {
  const root = document.documentElement;
  root.classList.add("js");

  const byId = (id) => document.getElementById(id);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");

  function element(name, text, kind) {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (kind) made.className = kind;
    return made;
  }

  async function unpack(id) {
    const packed = Uint8Array.from(atob(byId(id).textContent.trim()), (letter) => letter.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  }

  function small() {
    return window.innerWidth < 640;
  }

  function themed(layout) {
    const colours = getComputedStyle(root);
    const ink = colours.getPropertyValue("--ink").trim();
    const quiet = colours.getPropertyValue("--quiet").trim();
    const paper = colours.getPropertyValue("--card").trim();
    return {
      ...layout,
      font: { ...layout.font, color: ink, size: small() ? 11 : 13 },
      modebar: { bgcolor: "rgba(0,0,0,0)", color: quiet, activecolor: ink },
      hoverlabel: { ...layout.hoverlabel, bgcolor: paper, bordercolor: ink, font: { color: ink } },
      dragmode: small() ? false : "zoom",
    };
  }

  const buttons = {
    displayModeBar: small() ? false : "hover",
    displaylogo: false,
    responsive: true,
    showSendToCloud: false, /* Plotly would offer to send the chart away: nothing leaves this page */
    plotlyServerURL: "",
    modeBarButtons: [["toImage"], ["zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d"]],
    toImageButtonOptions: { filename: root.dataset.study + "-chart" },
  };

  /* The charts of all panels; a click on a dot that belongs to a trial tells its number. */
  async function drawPanels(figures) {
    for (const place of document.querySelectorAll("[data-panel]")) {
      const { data, layout } = figures[place.dataset.panel];
      const own = place.closest(".small, .parallel") ? { ...buttons, displayModeBar: false } : buttons;
      await window.Plotly.react(place, data, themed(layout), own);
    }
  }

  function onTrial(tell) {
    document.querySelectorAll(".js-plotly-plot").forEach((place) => place.on("plotly_click", (event) => {
      const number = event.points.map((point) => point.customdata).find((value) => typeof value === "number");
      if (number !== undefined) tell(number);
    }));
  }

  async function load() {
    const [source, data] = await Promise.all([unpack("plotly"), unpack("figures")]);
    const script = element("script", source);
    document.head.append(script);
    script.remove();
    root.classList.add("drawn");
    return JSON.parse(data);
  }

  return { root, byId, dark, element, unpack, small, themed, buttons, drawPanels, onTrial, load };
})();
