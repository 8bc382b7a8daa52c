// Rows of equal width and nearly equal height, from the pictures' known sizes: nothing moves when they arrive.

const NARROWEST = 0.5; // width : height; more extreme ones are cut by their tile
const WIDEST = 2.6;
const GAP = 6;
export const DIVIDER_HEIGHT = 56;

export function ratio_of(item) {
  if (!(item.width > 0 && item.height > 0)) return 1.35; // texts, and pictures of unknown size
  return Math.min(WIDEST, Math.max(NARROWEST, item.width / item.height));
}

// Continues `layout` (see empty_layout) by items: returns their boxes {left, top, width, height}. An item with `divided` begins a
// new row below a line of text, whose box is in layout.dividers. The last row may be incomplete; the next call fills it anew,
// so give the items again from layout.settled on.
export function empty_layout(width) {
  const height = width < 420 ? 112 : width < 760 ? 150 : width < 1400 ? 190 : 220;
  return { width, row_height: height, top: 0, settled: 0, last_height: height, dividers: [] };
}

export function place(layout, items) {
  const boxes = [];
  let row = [];
  let sum = 0;
  let { top } = layout;
  const close = (complete) => {
    if (row.length === 0) return;
    const free = layout.width - GAP * (row.length - 1);
    const height = complete ? free / sum : Math.min(layout.last_height, free / sum);
    if (complete) layout.last_height = height;
    let left = 0;
    for (const item of row) {
      const width = height * ratio_of(item);
      boxes.push({ left, top, width, height });
      left += width + GAP;
    }
    top += height + GAP;
    row = [];
    sum = 0;
  };
  let settled = 0;
  let settled_top = top;
  for (const item of items) {
    if (item.divided) {
      close(false);
      layout.dividers = layout.dividers.filter((divider) => divider.top < top);
      layout.dividers.push({ top });
      top += DIVIDER_HEIGHT;
      settled = boxes.length;
      settled_top = top;
    }
    row.push(item);
    sum += ratio_of(item);
    if (sum * layout.row_height + GAP * (row.length - 1) >= layout.width) {
      close(true);
      settled = boxes.length;
      settled_top = top;
    }
  }
  close(false);
  const bottom = top;
  layout.settled += settled;
  layout.top = settled_top;
  return { boxes, bottom };
}
