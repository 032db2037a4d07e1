// The contrast of every text with what is behind it, as WCAG 2 defines it, the text and where it stands.
const parse = (color) => {
  const [r, g, b, a = 1] = color.match(/[\d.]+/g).map(Number);
  return [r, g, b, a];
};
const over = ([r, g, b, a], below) => [r, g, b].map((value, i) => value * a + below[i] * (1 - a));
const behind = (node) => {
  if (!node) return [255, 255, 255];
  return over(parse(getComputedStyle(node).backgroundColor), behind(node.parentElement));
};
const luminance = (color) => {
  const [r, g, b] = color.map((value) => value / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const found = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const node = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || ["SCRIPT", "STYLE", "NOSCRIPT", "TITLE", "title"].includes(node.tagName)) continue;
  const style = getComputedStyle(node);
  const back = behind(node);
  const ink = over(parse(node instanceof SVGElement ? style.fill : style.color), back);
  const [high, low] = [luminance(ink), luminance(back)].sort((a, b) => b - a);
  found.push([(high + 0.05) / (low + 0.05), walker.currentNode.data.trim().slice(0, 40), node.tagName, node.className.toString()]);
}
return found;
