(function () {
  const { root, dark, drawPanels, load } = page;

  async function draw() {
    const figures = await load();
    await drawPanels(figures.panels);
    dark.addEventListener("change", () => drawPanels(figures.panels));
    root.dataset.ready = "yes";
  }

  draw().catch((error) => {
    root.classList.remove("drawn");
    console.error(error);
  });
})();
