// What is wrong about a page: it is wider than its window, words are hard to read, a field has no name, headings are amiss.
(() => {
  const wrong = [];
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth) wrong.push(`is ${root.scrollWidth - root.clientWidth} px too wide`);
  if (document.querySelectorAll("h1").length !== 1) wrong.push("has not one h1");
  if (document.querySelectorAll("main").length !== 1) wrong.push("has not one main");
  for (const field of document.querySelectorAll("input:not([type=hidden]), select, textarea")) {
    if (!field.labels.length) wrong.push(`has a field without a label: ${field.name}`);
  }
  for (const button of document.querySelectorAll("button, a")) {
    if (!button.textContent.trim()) wrong.push(`has a nameless ${button.outerHTML}`);
  }
  for (const head of document.querySelectorAll("thead th")) {
    if (head.scope !== "col") wrong.push("has a head without a scope");
  }
  const parse = (text) => {
    const [r, g, b, a = 1] = text.match(/[\d.]+/g).map(Number);
    return [r, g, b, a];
  };
  const light = ([r, g, b]) => {
    const part = [r, g, b].map((c) => (c / 255 <= 0.03928 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * part[0] + 0.7152 * part[1] + 0.0722 * part[2];
  };
  const behind = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const colour = parse(getComputedStyle(one).backgroundColor);
      if (colour[3] === 1) return colour;
    }
    return [255, 255, 255, 1];
  };
  const seen = new Set();
  for (const element of document.body.querySelectorAll("*")) {
    const hasText = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!hasText || !element.checkVisibility()) continue;
    const pair = [light(parse(getComputedStyle(element).color)), light(behind(element))].sort((a, b) => b - a);
    const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
    const name = `${element.tagName}.${element.className}`;
    if (ratio < 4.5 && !seen.has(name)) {
      seen.add(name);
      wrong.push(`has words that are hard to read (${ratio.toFixed(2)}): ${name}`);
    }
  }
  return wrong;
})();
