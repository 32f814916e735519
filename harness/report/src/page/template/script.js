// Everything can be read without this: it remembers the theme, and unfolds what is printed.
(() => {
  const root = document.documentElement;
  const buttons = document.querySelectorAll("[data-theme-choice]");
  let kept = null;
  try { kept = localStorage.getItem("freeweights-theme"); } catch { /* a file may have no storage */ }
  const choose = (theme) => {
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
    else delete root.dataset.theme;
    for (const button of buttons) {
      button.setAttribute("aria-pressed", String(button.dataset.themeChoice === (theme || "auto")));
    }
  };
  choose(kept);
  for (const button of buttons) {
    button.addEventListener("click", () => {
      const theme = button.dataset.themeChoice;
      choose(theme);
      try { localStorage.setItem("freeweights-theme", theme); } catch { /* as above */ }
    });
  }
  document.querySelector(".themes").hidden = false;
  // Paper has no summary to click.
  addEventListener("beforeprint", () => {
    for (const folded of document.querySelectorAll("details.more")) folded.open = true;
  });
})();
