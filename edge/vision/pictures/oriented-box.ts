/** Rectangles at any angle: the smallest around points, grown on all sides, and its corners in reading order. */

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** Left top, right top, right bottom and left bottom of a line of text that is tilted by less than 45 degrees. */
export type Quad = readonly [Point, Point, Point, Point];

export interface OrientedBox {
  readonly centre: Point;
  /** Length along the unit vector `axis`, and across it. */
  readonly along: number;
  readonly across: number;
  readonly axis: Point;
}

/** The corners of the convex hull, in order around it (Andrew's monotone chain). */
export function convexHull(points: readonly Point[]): Point[] {
  const sorted = [...points].sort((a, b) => a.x - b.x || a.y - b.y);
  if (sorted.length < 3) return sorted;
  const half = (ordered: readonly Point[]): Point[] => {
    const chain: Point[] = [];
    for (const point of ordered) {
      while (chain.length > 1 && turn(chain.at(-2) as Point, chain.at(-1) as Point, point) <= 0) chain.pop();
      chain.push(point);
    }
    return chain.slice(0, -1);
  };
  return [...half(sorted), ...half(sorted.toReversed())];
}

function turn(a: Point, b: Point, c: Point): number {
  return (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);
}

/** The rectangle of least area around one or more points. One of its sides lies on a side of their hull. */
export function smallestBox(points: readonly Point[]): OrientedBox {
  const hull = convexHull(points);
  let best = boxAlong(hull, { x: 1, y: 0 });
  for (const [index, from] of hull.entries()) {
    const to = hull[(index + 1) % hull.length] as Point;
    const length = Math.hypot(to.x - from.x, to.y - from.y);
    if (length === 0) continue;
    const box = boxAlong(hull, { x: (to.x - from.x) / length, y: (to.y - from.y) / length });
    if (box.along * box.across < best.along * best.across) best = box;
  }
  return best;
}

function boxAlong(points: readonly Point[], axis: Point): OrientedBox {
  const along = points.map(({ x, y }) => x * axis.x + y * axis.y);
  const across = points.map(({ x, y }) => y * axis.x - x * axis.y);
  const [left, right] = [Math.min(...along), Math.max(...along)];
  const [top, bottom] = [Math.min(...across), Math.max(...across)];
  const [middle, level] = [(left + right) / 2, (top + bottom) / 2];
  const centre = { x: middle * axis.x - level * axis.y, y: middle * axis.y + level * axis.x };
  return { centre, along: right - left, across: bottom - top, axis };
}

/** The box grown by area x ratio / perimeter on every side, as DB's kernels are shrunken (Liao et al. 2020, eq. 10). */
export function unclip(box: OrientedBox, ratio: number): OrientedBox {
  const { along, across } = box;
  const distance = along + across === 0 ? 0 : (along * across * ratio) / (2 * (along + across));
  return { ...box, along: along + 2 * distance, across: across + 2 * distance };
}

/** The corners: the upper of the two leftmost first, then the upper and the lower of the two rightmost. */
export function corners({ centre, along, across, axis }: OrientedBox): Quad {
  const corner = (u: number, v: number): Point => ({
    x: centre.x + (u * along * axis.x - v * across * axis.y) / 2,
    y: centre.y + (u * along * axis.y + v * across * axis.x) / 2,
  });
  const all = [corner(-1, -1), corner(1, -1), corner(1, 1), corner(-1, 1)].sort((a, b) => a.x - b.x);
  const [leftTop, leftBottom] = all.slice(0, 2).sort((a, b) => a.y - b.y) as [Point, Point];
  const [rightTop, rightBottom] = all.slice(2).sort((a, b) => a.y - b.y) as [Point, Point];
  return [leftTop, rightTop, rightBottom, leftBottom];
}
