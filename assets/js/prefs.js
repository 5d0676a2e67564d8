// Runs before the page is drawn, so that nothing jumps: marks the page as scripted and recalls what this browser prefers.
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  for (const name of ["theme", "rows", "times", "map"]) {
    try {
      const value = localStorage.getItem(`rollcall.${name}`);
      if (value) root.dataset[name] = value;
    } catch {
      // Storage is off: the defaults do.
    }
  }
})();
